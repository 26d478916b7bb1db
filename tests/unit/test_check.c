/* What is sent is held against LINE's limits: every kind of object in a form that LINE takes, and one row for each limit
 * that it does not. Rows are Lua expressions; U, A, TEXT, BOX and so on are at the head of open_state. */
#include "test.h"
#include "bindings/built.h"
#include "bindings/check.h"
#include "bindings/json.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "line/schema.h"

static const char prelude[] =
    "U = 'https://example.com/a.png'\n"
    "A = {type='message', label='Yes', text='yes'}\n"
    "function rep(n, s) return (s or 'x'):rep(n) end\n"
    "function list(n, v) local t = {} for i = 1, n do t[i] = v end return t end\n"
    "function with(t, more) local r = {} for k, v in pairs(t) do r[k] = v end for k, v in pairs(more) do r[k] = v end return r end\n"
    "function text(more) return with({type='text', text='hi'}, more) end\n"
    "function quick(a, more) return text{quickReply={items={with({type='action', action=a}, more or {})}}} end\n"
    "function tpl(t) return {type='template', altText='alt', template=t} end\n"
    "function buttons(more) return tpl(with({type='buttons', text='pick', actions={A}}, more)) end\n"
    "function col(more) return with({text='card', actions={A}}, more or {}) end\n"
    "function carousel(...) return tpl{type='carousel', columns={...}} end\n"
    "function flex(c) return {type='flex', altText='alt', contents=c} end\n"
    "function box(...) return {type='box', layout='vertical', contents={...}} end\n"
    "function part(c) return flex{type='bubble', body=box(c)} end\n"
    "function inbox(more) return flex{type='bubble', body=with(box(), more)} end\n"
    "function t(more) return part(with({type='text', text='hi'}, more)) end\n"
    "function img(more) return part(with({type='image', url=U}, more)) end\n"
    "function act(a) return part{type='button', action=a} end\n"
    "function pb(more) return with({type='postback', label='go', data='a=1'}, more) end\n"
    "function dt(more) return with({type='datetimepicker', label='when', data='d', mode='date'}, more) end\n"
    "area = {x=0, y=0, width=10, height=10}\n"
    "function map(more) return with({type='imagemap', baseUrl='https://example.com/m', altText='alt',\n"
    "  baseSize={width=1040, height=500}, actions={{type='message', text='hi', area=area}}}, more) end\n"
    "function menu(more) return with({size={width=2500, height=1686}, selected=false, name='m', chatBarText='Tap',\n"
    "  areas={{bounds=area, action=A}}}, more) end\n"
    "function coupon(more) return with({title='10 off', acquisitionCondition={type='normal'}, maxUseCountPerTicket=1,\n"
    "  startTimestamp=4000000000, endTimestamp=4000086400, timezone='ASIA_TOKYO', visibility='PUBLIC',\n"
    "  reward={type='free'}}, more) end\n"
    "bubble = {type='bubble', body=box()}\n"
    "video = {type='video', url='https://example.com/v.mp4', previewUrl=U, altContent={type='image', url=U}}\n"
    "null = json.null\n";

static int check_written(lua_State *L);
static unsigned were_written;

static lua_State *open_state(void)
{
    lua_State *L = lua_newstate(memory_alloc, NULL);
    luaL_openlibs(L);
    json_open(L);
    luaL_requiref(L, "json", luaopen_moonline_json, 1);
    lua_register(L, "check", check_written);
    lua_register(L, "mode", message_check_mode);
    lua_register(L, "note", built_note_call);
    if (luaL_dostring(L, prelude)) FAIL("%s", lua_tostring(L, -1));
    lua_settop(L, 0);
    return L;
}

static void close_state(lua_State *L)
{
    lua_close(L);
    json_free();
    lua_json_free();
    CHECK_INT(memory.used, 0);
}

/* What a check writes is what the encoder writes, byte for byte. */
static int check_written(lua_State *L)
{
    static struct json_written written = {.json = BUF(1 << 20)};
    static struct buf plain = BUF(1 << 20);
    lua_settop(L, 5);
    if (!lua_istable(L, 2)) return message_check_call(L);
    message_check_write(L, luaL_checkstring(L, 1), 2, luaL_optstring(L, 3, ""), luaL_optstring(L, 4, "line"), lua_tostring(L, 5), &written);
    CHECK_INT(lua_gettop(L), 5);
    if (written.table) {
        were_written++;
        buf_clear(&plain);
        json_encode(L, 2, &plain); /* must not raise either */
        CHECK_STR(written.json.data, plain.data);
        CHECK(written.table == lua_topointer(L, 2));
    }
    buf_free(&written.json);
    buf_free(&plain);
    lua_settop(L, 2);
    return 1;
}

/* Runs check(kind, expression) and returns its complaint, NULL when there is none. Stays until the stack is cleared. */
static const char *complaint(lua_State *L, const char *kind, const char *expression)
{
    char chunk[2048];
    lua_settop(L, 0);
    snprintf(chunk, sizeof chunk, "return check('%s', %s, 'it', 'test')", kind, expression);
    if (luaL_loadbuffer(L, chunk, strlen(chunk), "=row")) {
        FAIL("%s\n#   in %s", lua_tostring(L, -1), chunk);
        return NULL;
    }
    return lua_pcall(L, 0, 0, 0) ? lua_tostring(L, -1) : NULL;
}

struct row {
    const char *kind, *value, *why; /* why: part of the complaint */
};

static void all_pass(const struct row *rows, size_t n)
{
    lua_State *L = open_state();
    for (size_t i = 0; i < n; i++) {
        const char *text = complaint(L, rows[i].kind, rows[i].value);
        if (text) FAIL("%s\n#   refused: %s", rows[i].value, text);
    }
    close_state(L);
}

static void all_fail(const struct row *rows, size_t n)
{
    lua_State *L = open_state();
    for (size_t i = 0; i < n; i++) {
        const char *text = complaint(L, rows[i].kind, rows[i].value);
        if (!text) FAIL("not refused: %s", rows[i].value);
        else if (!strstr(text, rows[i].why)) FAIL("%s\n#   got: %s\n#   not: %s", rows[i].value, text, rows[i].why);
        else if (strstr(text, " errors\n")) FAIL("%s\n#   one error wanted, got: %s", rows[i].value, text);
    }
    close_state(L);
}


TEST(what_line_takes_passes)
{
    static const struct row rows[] = {
#define ROW(kind, value) {kind, value, NULL},
#include "check_good.def"
#undef ROW
    };
    all_pass(rows, sizeof rows / sizeof *rows);
}

TEST(what_line_refuses_is_refused)
{
    static const struct row rows[] = {
#define ROW(kind, value, why) {kind, value, why},
#include "check_bad.def"
#undef ROW
    };
    all_fail(rows, sizeof rows / sizeof *rows);
}

/* ---- how it is said ---- */

/* Runs a chunk that must raise; returns the error's text. */
static const char *raised(lua_State *L, const char *chunk)
{
    lua_settop(L, 0);
    if (luaL_loadbuffer(L, chunk, strlen(chunk), "@bot.lua")) FAIL("%s", lua_tostring(L, -1));
    else if (lua_pcall(L, 0, 0, 0)) return lua_tostring(L, -1);
    return "";
}

TEST(each_error_names_the_line_where_its_part_was_built)
{
    lua_State *L = open_state();
    CHECK_STR(raised(L, "local b = note{type='button',\n action=note{type='message', label='x'}}\n"
                        "local body = note{type='box', layout='vertical', contents={b, {type='separator', margin='huge'}}}\n"
                        "local m = note{type='flex', altText='a',\n contents={type='bubble', body=body, size='tiny'}}\n"
                        "check('message[]', {m}, 'messages', 'line.push')"),
              "bot.lua:6: line.push: 3 errors\n"
              "bot.lua:4: messages[1].contents.size: \"tiny\" is not one of nano, micro … giga\n"
              "bot.lua:2: messages[1].contents.body.contents[1].action.text: is missing; it must be a string of 1 to 300 characters\n"
              "bot.lua:3: messages[1].contents.body.contents[2].margin: \"huge\" is not one of none, xs … xxl, or a px size");
    CHECK_STR(raised(L, "check('message[]', {{type='text'}}, 'messages', 'line.push', 'other.lua:7')"),
              "other.lua:7: messages[1].text: is missing; it must be a string of 1 to 5000 characters");
    CHECK_STR(raised(L, "\ncheck('richmenu', {}, '', 'line.create_rich_menu')") ,
              "bot.lua:2: line.create_rich_menu: 5 errors\n"
              "bot.lua:2: size: is missing; it must be a table: of its image\n"
              "bot.lua:2: selected: is missing; it must be true or false\n"
              "bot.lua:2: name: is missing; it must be a string of 1 to 300 characters\n"
              "bot.lua:2: chatBarText: is missing; it must be a string of 1 to 14 characters\n"
              "bot.lua:2: areas: is missing; it must be a list of 0 to 20");
    close_state(L);
}

TEST(twenty_errors_are_shown_and_the_rest_counted)
{
    lua_State *L = open_state();
    const char *text = raised(L, "local b = list(50, {type='separator', color='red'})\n"
                     "check('message', flex{type='bubble', body={type='box', layout='vertical', contents=b}}, 'm', 'it')");
    CHECK(strstr(text, "bot.lua:2: it: 50 errors\n") == text);
    CHECK(strstr(text, "contents[20].color") && !strstr(text, "contents[21].color"));
    CHECK(strlen(text) > 15 && strcmp(text + strlen(text) - 12, "\nand 30 more") == 0);
    close_state(L);
}

TEST(a_table_that_holds_itself_ends)
{
    lua_State *L = open_state();
    CHECK(strstr(raised(L, "local b = box() b.contents[1] = b b.contents[2] = b\ncheck('message', flex{type='bubble', body=b}, 'm', 'it')"),
                 "is nested too deep, or contains itself"));
    CHECK(strstr(raised(L, "local b = box() for i = 1, 100 do b = box(b, b) end\n"
                     "check('message', flex{type='bubble', body=b}, 'm', 'it')"), "larger"));
    CHECK(strstr(raised(L, "local r = {type='operator'} r['not'] = r check('recipient', r, 'r', 'it')"), "is nested too deep"));
    close_state(L);
}

TEST(modes)
{
    lua_State *L = open_state();
    CHECK_STR(raised(L, "assert(mode() == 'strict' and mode('off') == 'strict')\ncheck('message', {}, 'm', 'it')"), "");
    CHECK_STR(raised(L, "assert(mode('warn') == 'off')\ncheck('message', {}, 'm', 'it')"), "");
    CHECK_STR(raised(L, "mode('strict')\ncheck('message', {}, 'm', 'it')"),
              "bot.lua:2: m.type: is missing; it says which of LINE's objects this is");
    CHECK(strstr(raised(L, "\nmode('loose')"), "line.check is \"strict\", \"warn\" or \"off\""));
    close_state(L);
}

TEST(nothing_is_allocated_for_what_is_right)
{
    lua_State *L = open_state();
    CHECK(luaL_dostring(L, "return {part({type='button', action=pb{}}, {type='text', text='hi'}), text{}, buttons{}, quick(A)}") == LUA_OK);
    lua_gc(L, LUA_GCSTOP);
    message_check(L, "message[]", 1, "messages", "it"); /* the first may build what is kept */
    size_t before = memory.used;
    for (int i = 0; i < 10; i++) message_check(L, "message[]", 1, "messages", "it");
    CHECK_INT((long long)memory.used, (long long)before);
    CHECK_INT(lua_gettop(L), 1);
    close_state(L);
}

/* ---- what LINE says ---- */

TEST(places_that_line_names_become_lines)
{
    static const struct {
        const char *property;
        int message;
        const char *path, *where;
    } rows[] = {
        {"messages[0].text", -1, "messages[1].text", "bot.lua:1"}, {"messages", -1, "messages", NULL}, {"to", -1, "to", NULL},
        {"messages[1].contents.body", -1, "messages[2].contents.body", "bot.lua:4"},
        {"/body/contents/1", 1, "messages[2].contents.body.contents[2]", "bot.lua:3"},
        {"/body/contents/1/margin", 1, "messages[2].contents.body.contents[2].margin", "bot.lua:3"},
        {"/", 1, "messages[2].contents", "bot.lua:5"},
        {"/header", 1, "messages[2].contents.header", "bot.lua:5"},
        {"template/columns/0/title", 2, "messages[3].template.columns[1].title", "bot.lua:6"},
        {"text", 0, "messages[1].text", "bot.lua:1"}, {"", -1, NULL, NULL}, {"nonsense.of.theirs", 0, NULL, NULL}, {"/x/y", 9, NULL, NULL},
        {"messages[7].text", -1, "messages[8].text", NULL},
    };
    lua_State *L = open_state();
    static const char chunk[] = "local a = note{type='text', text=''}\n\nlocal s = note{type='separator'}\n"
                                "local body = note{type='box', layout='vertical', contents={{type='filler'}, s}}\n"
                                "local f = note{type='flex', altText='a', contents={type='bubble', body=body}}\n"
                                "local t = {type='template', template={type='carousel', columns={note{text='x'}}}}\n"
                                "return {to='U1', messages={a, f, t}}";
    if (luaL_loadbuffer(L, chunk, sizeof chunk - 1, "@bot.lua") || lua_pcall(L, 0, 1, 0)) FAIL("%s", lua_tostring(L, -1));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool found = message_where_of(L, 1, rows[i].message, rows[i].property);
        if (found != (rows[i].path != NULL)) FAIL("%s: %s", rows[i].property, found ? lua_tostring(L, -2) : "leads nowhere");
        else if (found) {
            CHECK_STR(lua_tostring(L, -2), rows[i].path);
            if (!rows[i].where) CHECK(lua_isnil(L, -1));
            else CHECK_STR(lua_tostring(L, -1) ? lua_tostring(L, -1) : "nil", rows[i].where);
        }
        lua_settop(L, 1);
    }
    CHECK(luaL_dostring(L, "return {message='A message (messages[1]) in the request body is invalid',"
                           " details={{property='/body/contents/1', message='m'}, {message='x'}, 7}}") == LUA_OK);
    message_explain(L, 1, 2);
    CHECK_INT(lua_gettop(L), 2);
    lua_getfield(L, 2, "details");
    lua_rawgeti(L, -1, 1);
    lua_getfield(L, -1, "where");
    lua_getfield(L, -2, "path");
    CHECK_STR(lua_tostring(L, -2), "bot.lua:3");
    CHECK_STR(lua_tostring(L, -1), "messages[2].contents.body.contents[2]");
    close_state(L);
}

/* ---- anything at all ---- */

/* Values of every type take the place of one value after another in messages that are right; sometimes they grow. The check
 * may refuse, but must neither crash nor leave anything on the stack. */
static const char mutate[] =
    "local seed = ... local function rnd(n) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % n + 1 end\n"
    "local samples = {part({type='button', action=pb{}}, {type='text', text='a', contents={{type='span', text='s'}}}),"
    " map{video={area=area}},\n"
    "  carousel(col(), col{title='t'}), quick(dt{min='2017-01-01', max='2018-01-01'}),"
    " flex{type='carousel', contents={bubble, {type='bubble', hero=video}}},\n"
    "  {type='textV2', text='{a} {b}', substitution={a={type='mention', mentionee={type='all'}}}}, text{text='$', emojis={{index=0}}}}\n"
    "local odd = {0, -1, 1.5, 1/0, 0/0, math.maxinteger, '', 'x', '\\0', '\\xFF\\xFE', rep(6000), rep(300, '🍎'),"
    " '{', '}', '%', true, false, null,\n"
    "  print, {}, {1}, {{}}, {type='text'}, {type='box'}, {type=5}, {[1.5]=2}, {[true]=1},"
    " coroutine.create(print), '2017-13-01', '#12345G', '1:2:3', 'px', '.px'}\n"
    "local function copy(v) if type(v) ~= 'table' then return v end local t = {} for k, x in pairs(v) do t[k] = copy(x) end return t end\n"
    "local function spoil(v) local keys = {} for k in pairs(v) do keys[#keys + 1] = k end"
    " if #keys == 0 then v[1] = odd[rnd(#odd)] return end\n"
    "  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end) local k = keys[rnd(#keys)]\n"
    "  if type(v[k]) == 'table' and rnd(4) > 1 then return spoil(v[k]) end\n"
    "  local what = rnd(4) if what == 1 then v[k] = nil elseif what == 2 then"
    " v[rnd(3)] = odd[rnd(#odd)] else v[k] = odd[rnd(#odd)] end end\n"
    "local refused = 0\n"
    "for i = 1, 3000 do local m = copy(samples[rnd(#samples)]) for _ = 1, rnd(3) do spoil(m) end\n"
    "  local ok, err = pcall(check, 'message', m, 'm', 'it') assert(ok or type(err) == 'string') if not ok then refused = refused + 1 end\n"
    "  pcall(check, ({'richmenu', 'coupon', 'recipient', 'filter', 'richmenu_batch', 'message[]'})[rnd(6)], m, '', 'it') end\n"
    "assert(refused > 1000, refused)";

TEST(anything_at_all_may_be_checked)
{
    lua_State *L = open_state();
    for (int seed = 1; seed <= 3; seed++) {
        if (luaL_loadstring(L, mutate)) FAIL("%s", lua_tostring(L, -1));
        lua_pushinteger(L, seed);
        if (lua_pcall(L, 1, 0, 0)) FAIL("%s", lua_tostring(L, -1));
        lua_settop(L, 0);
    }
    close_state(L);
}

/* ---- what is written beside ---- */

TEST(what_is_usual_is_written_and_nothing_else)
{
    static const struct {
        const char *value;
        bool written;
    } rows[] = {
        {"{type='text', text='plain'}", true},
        {"{type='text', text='\"quoted\", \\\\ and \\n, \\1, \\u{1F34E}'}", true},
        {"{type='text', text=('x'):rep(4000), quoteToken=null}", true},
        {"part{type='text', text='a', flex=1}", true},
        {"part{type='text', text='a', flex=1.0}", true},
        {"text{text='$', emojis={{index=0, productId='a', emojiId='b'}}}", true},
        {"{type='text', text='not UTF-8 \\xFF'}", false},
        {"{type='text', text='a', novelty=true}", false},
        {"{type='unheard'}", false},
        {"{type='text', text='a', emojis={}}", false},
        {"json.object{type='text', text='a'}", false},
        {"{type='text', text='$', emojis=json.array{{index=0, productId='a', emojiId='b'}}}", false},
        {"{type='text', text='$', emojis={{index=0, productId='a', emojiId='b'}, x=1}}", false},
        {"{type='textV2', text='{a}', substitution={a={type='mention', mentionee={type='all'}}}}", false},
    };
    lua_State *L = open_state();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned before = were_written;
        const char *text = complaint(L, "message", rows[i].value);
        if (text) FAIL("%s\n#   refused: %s", rows[i].value, text);
        if ((were_written > before) != rows[i].written) FAIL("%s: %s", rows[i].value, rows[i].written ? "not written" : "written");
    }
    close_state(L);
}

TEST(what_was_written_stands_in_the_whole)
{
    lua_State *L = open_state();
    struct json_written written = {.json = BUF(1 << 20)};
    struct buf out = BUF(1 << 20);
    CHECK(luaL_dostring(L, "m = {{type='text', text='a'}} return {messages=m}, m") == LUA_OK);
    message_check_write(L, "message[]", 2, "messages", "it", NULL, &written);
    lua_getglobal(L, "m");
    lua_pushnil(L);
    lua_rawseti(L, 3, 1); /* shows that it is not encoded again */
    json_encode_with(L, 1, &out, &written);
    CHECK(strstr(out.data, "{\"messages\":[{\"t") == out.data);
    CHECK_INT((long long)out.len, (long long)strlen("{\"messages\":[{\"type\":\"text\",\"text\":\"a\"}]}"));
    buf_clear(&out);
    json_encode(L, 1, &out);
    CHECK_STR(out.data, "{\"messages\":[]}");
    luaL_dostring(L, "mode('off')") ? FAIL("mode") : (void)0;
    message_check_write(L, "message[]", 2, "messages", "it", NULL, &written);
    CHECK(!written.table);
    buf_free(&written.json);
    buf_free(&out);
    close_state(L);
}

TEST_MAIN()
