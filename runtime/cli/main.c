/* The command line: find the command, read its options, run it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/near.h"
#include "bindings/worker.h"
#include "cli/command.h"
#include "cli/emulator.h"
#include "net/address.h"

#define ARGS_MOST 1024

/* To add a command: add a row and a file; tests/scenario/test_commands.py asks every row for its help. */
const struct command commands[] = {
    {"run", "PATH…", "serve bots",
     "A PATH is a Lua file, or a folder with bot.lua. One bot answers at /webhook, several at /webhook/NAME.\n\n"
     "Credentials come from the environment, or from a .env beside the bot:\n"
     "  LINE_CHANNEL_SECRET        of the channel; several, comma-separated, while one is being rotated\n"
     "  LINE_CHANNEL_ACCESS_TOKEN  a long-lived token, or instead\n"
     "  LINE_CHANNEL_ID            tokens are issued with the secret and renewed by themselves\n"
     "  LINE_ASSERTION_KEY         with the id: a JWK file, private key and kid; v2.1 tokens are issued with it\n"
     "  LINE_API_BASE, LINE_DATA_API_BASE, LINE_MANAGER_API_BASE  other places to call instead of LINE, for tests\n\n"
     "SIGHUP loads code, credentials and certificate again; SIGTERM and SIGINT finish what runs and leave.",
     1, -1, command_run},
    {"dev", "PATH", "write a bot: it runs, LINE is played by the emulator, a page is the phone",
     "PATH is a Lua file, or a folder with bot.lua. No account is needed: open the page that it names, write to the bot,\n"
     "edit, save. What happened is on the page: each webhook, the handler that took it, what it called, what LINE answers.\n"
     "The channel is a throw-away one; .env is not read. Data goes away in the end unless --data names a folder.\n\n"
     "With --live the bot talks to LINE itself, as with `run`: its own credentials, its own data, real people. The page only\n"
     "looks on. --public-url https://… sets the webhook address at LINE to that address with /webhook behind (a tunnel leads\n"
     "from there to port 3000) and puts the one before back in the end, or at the next start if it was killed.\n\n"
     "Ctrl-C ends all of it.",
     1, 1, command_dev},
    {"emulate", "", "a LINE Platform on this machine, for any SDK in any language",
     "It answers the paths of the Messaging API and sends signed webhooks. Point an SDK at it (here at its usual address):\n\n"
     "  Node    new messagingApi.MessagingApiClient({baseURL: 'http://127.0.0.1:9090', channelAccessToken: '" EMULATOR_TOKEN "'})\n"
     "  Python  Configuration(host='http://127.0.0.1:9090', access_token='" EMULATOR_TOKEN "')\n"
     "  Go      messaging_api.NewMessagingApiAPI(\"" EMULATOR_TOKEN "\", messaging_api.WithEndpoint(\"http://127.0.0.1:9090\"))\n\n"
     "The channel secret is " EMULATOR_SECRET "; LINE_CHANNEL_SECRET and LINE_CHANNEL_ACCESS_TOKEN in the\n"
     "environment name others. The page at its address is the phone, /_/ lists what test suites can do with it.",
     0, 0, command_emulate},
    {"check", "PATH", "load a bot, list its handlers, find what would fail",
     "Exit status 0 when nothing was found, 1 when something was.", 1, 1, command_check},
    {"event", "list | show ID | retry ID | drop ID", "look at the events the store holds, and mend",
     "Works on a store in use (through the running moonline) and on a stopped one. --data names the folder; without it,\n"
     ".moonline in the current folder. An ID is a webhookEventId, or the number in the first column of the list.",
     1, 2, command_event},
    {"call", "[OPERATION [FIELD=VALUE…]]", "call one operation of LINE's API",
     "Without arguments it lists the operations; `moonline call OPERATION --help` shows the fields of one.\n\n"
     "  moonline call get_profile userId=U4af4980629…\n"
     "  moonline call push_message to=U4af… messages:='[{\"type\":\"text\",\"text\":\"hi\"}]'\n"
     "  moonline call set_rich_menu_image richMenuId=richmenu-88c0… image=@menu.png\n"
     "  moonline call get_message_content messageId=4448… >photo.jpg\n\n"
     "FIELD=VALUE is text (numbers and true or false where the field is one), FIELD:=JSON any value, FIELD=@PATH a file.\n"
     "Credentials come from the environment, or from a .env in the current folder.",
     0, -1, command_call},
    {"richmenu", "plan|apply PATH", "bring the rich menus a bot declares to LINE",
     "plan shows what apply would do: menus to create, aliases and the default to switch, users to move, menus to delete.\n"
     "Both compare what the bot at PATH declares by line.richmenu with what LINE has. Menus that moonline did not make are\n"
     "left alone: its own carry a fingerprint at the end of their name. Apply may be stopped anywhere and run again.\n\n"
     "Credentials come from the environment, or from a .env beside the bot.",
     2, 2, command_richmenu},
    {"token", "issue|verify|revoke|list [FOLDER]", "issue, look at and revoke channel access tokens",
     "  issue   print a new token: v2.1 with LINE_ASSERTION_KEY, else stateless with LINE_CHANNEL_ID and the secret\n"
     "  verify  how long LINE_CHANNEL_ACCESS_TOKEN is good for; without it, the token on standard input\n"
     "  revoke  make that token worthless at once\n"
     "  list    the key ids of the v2.1 tokens that are alive (30 at most)\n\n"
     "Credentials come from the environment, or from a .env in FOLDER (the current one).",
     1, 2, command_token},
    {"version", "", "print the version", "", 0, 0, command_version},
    {"help", "[COMMAND]", "print this, or everything about a command", "", 0, 1, command_help},
};
const size_t commands_n = sizeof commands / sizeof *commands;

int command_usage(const char *name, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "moonline%s%s: ", name ? " " : "", name ? name : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < commands_n; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[sizeof commands / sizeof *commands];
    for (size_t i = 0; i < commands_n; i++) names[i] = commands[i].name;
    const char *near = near_name(name, names, commands_n);
    if (near) return command_usage(NULL, "%s is not a command (did you mean moonline %s?)", name, near);
    if (access(name, R_OK) == 0) return command_usage(NULL, "%s is not a command; to serve it: moonline run %s", name, name);
    return command_usage(NULL, "%s is not a command; `moonline help` lists them", name);
}

/* Workers read it again; here a mistake is told before anything starts. */
static bool allow_list_is_good(const char *text, char *error, size_t n)
{
    struct address_list *list = address_list_read(text, error, n);
    address_list_free(list);
    return list != NULL;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct options o;
    char error[512];
    const char *args[ARGS_MOST];
    int n = 0, status;
    if (argc > ARGS_MOST) return command_usage(c->name, "too many arguments");
    options_defaults(&o);
    if (options_environment(&o, error, sizeof error) ||
        options_parse(&o, c->name, argc, argv, args, &n, error, sizeof error)) {
        fprintf(stderr, "%s%s\n", strncmp(error, "moonline", 8) == 0 ? "" : "moonline: ", error);
        status = EXIT_USAGE;
    } else if (!allow_list_is_good(o.http_allow, error, sizeof error)) {
        status = command_usage(c->name, "--http-allow: %s", error);
    } else if (n < c->least) {
        status = command_usage(c->name, "what? usage: moonline %s %s", c->name, c->args);
    } else if (c->most >= 0 && n > c->most) {
        status = command_usage(c->name, "one too many: %s; usage: moonline %s %s", args[c->most], c->name, c->args);
    } else {
        log_init((enum log_format)o.log, (enum log_level)o.log_level);
        status = c->run(&o, args, n);
    }
    options_free(&o);
    return status;
}

/* `moonline call OPERATION --help`: only the command knows them. */
static int help_of_operation(const char *name)
{
    struct options o;
    const char *args[] = {name, "--help"};
    options_defaults(&o);
    int status = command_call(&o, args, 2);
    options_free(&o);
    return status;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "worker") == 0) { /* started by the host, never by hand */
        prctl(PR_SET_NAME, "moonline-worker");
        return worker_main(argc, argv);
    }
    if (argc < 2) return command_usage(NULL, "what? `moonline help` lists the commands; `moonline run PATH` serves a bot");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-v") == 0) name = "version";
    const struct command *c = find(name);
    if (!c) return unknown(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            const char *about[] = {c->name};
            if (c->run == command_call && i > 2) return help_of_operation(argv[2]);
            return command_help(NULL, about, 1);
        }
    return run(c, argc - 2, argv + 2);
}
