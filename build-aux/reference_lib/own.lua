---What a send takes as a message: a string is a text message, a list holds several.
---@alias line.sendable string|line.message|(string|line.message)[]

---Runs the handlers that come after, once; returns what the one that matched returned.
---@alias line.next fun(): any

---Options of every call.
---@class line.call_options
---@field timeout? number seconds that an attempt may take

---Options of calls that LINE lets repeat.
---@class line.retry_options: line.call_options
---@field retry_key? string|false a UUID of your own, false for none; else it is made from the event

---Options of calls that fetch media.
---@class line.content_options: line.call_options
---@field ready_timeout? number seconds that media which LINE still prepares are waited for (30)

---A file to send: one of file and data. A string in its place is the bytes.
---@class line.file
---@field file? string its path, from the bot's folder
---@field data? string the bytes
---@field type? string media type; else told from the first bytes
---@field name? string file name that LINE is told

---Options of line.push and its like, as the last argument.
---@class line.send_options: line.retry_options
---@field notification_disabled? boolean true: no sound or banner
---@field notificationDisabled? boolean the same, by LINE's name
---@field customAggregationUnits? string[] name of a unit of statistics

---Options of line.narrowcast.
---@class line.narrowcast_options: line.send_options
---@field recipient? line.recipient who gets it, by audience
---@field filter? line.filter who gets it, by attributes
---@field limit? line.limit how many get it

---Options of event:reply, as the last argument.
---@class line.reply_options
---@field notification_disabled? boolean true: no sound or banner
---@field timeout? number seconds that the call may take

---Options of line.request.
---@class line.request_options: line.call_options
---@field query? table<string, string|number|boolean> parameters of the address
---@field body? table|string a table is sent as JSON, a string as it is
---@field headers? table<string, string> further headers
---@field host? "api"|"data"|"manager" which of LINE's hosts; api unless given

---What went wrong.
---@alias line.error_kind
---|"rate" # too many calls
---|"quota" # this month's messages are used up
---|"concurrent" # too many operations on the same thing still run
---|"user" # too many messages to one user
---|"invalid" # LINE finds fault with the request
---|"token" # the access token is not good, or none could be issued
---|"forbidden" # the channel may not do this
---|"missing" # LINE does not have it
---|"conflict" # it was done already, or is being changed
---|"gone" # it is no longer there
---|"server" # LINE failed
---|"timeout" # no answer in time
---|"network" # no connection
---|"file" # the file to be sent could not be read
---|"refused" # any other status

---What is raised when LINE refuses, or does not answer; tostring makes one line of it.
---@class line.error
---@field status integer HTTP status, 0 without an answer
---@field kind line.error_kind what to branch on
---@field message string LINE's words
---@field details? line.error_detail[] what is wrong where
---@field request_id? string for questions to LINE
---@field accepted_request_id? string of the request that had the retry key before
---@field retry_after? number seconds, of kind "rate"
---@field operation? string "push_message"
---@field called? string what the script called: "line.push"
---@field where? string the script's line: "bot.lua:12"

---One complaint of LINE.
---@class line.error_detail
---@field message? string LINE's words
---@field property? string LINE's path
---@field path? string the same in Lua's counting
---@field where? string the script's line that built the part

---How many messages may still be sent this month.
---@class line.quota
---@field type "limited"|"none"
---@field limit? integer nil without a limit
---@field used integer
---@field remaining? integer nil without a limit

---Where an event comes from.
---@class line.chat
---@field type "user"|"group"|"room"
---@field id string what line.push takes

---Who is mentioned, and where: event.message.text:sub(from, to).
---@class line.mention_place
---@field type "user"|"all"
---@field userId? string nil for people who did not consent
---@field isSelf boolean true for this bot
---@field text? string "@name"
---@field from? integer
---@field to? integer

---A LINE emoji, and the place of its placeholder: event.message.text:sub(from, to).
---@class line.emoji_place
---@field productId string
---@field emojiId string
---@field text? string "(hello)"
---@field from? integer
---@field to? integer

---What was chosen in a picker.
---@class line.picked
---@field mode "date"|"time"|"datetime"
---@field text string as LINE sent it
---@field year? integer
---@field month? integer
---@field day? integer
---@field hour? integer
---@field min? integer

---What became of a switch of rich menus.
---@class line.menu_switch
---@field ok boolean
---@field status string "SUCCESS", or why not
---@field alias? string of the new menu

---Further fields of line.richmenu_grid and line.imagemap.grid.
---@class line.grid_options
---@field width? integer of the whole, in pixels
---@field height? integer of the whole, in pixels
---@field x? integer where the grid begins (0)
---@field y? integer where the grid begins (0)

---A row of a declared menu: actions, or {action, width = share}.
---@class line.richmenu_row
---@field [integer] line.action|line.richmenu_cell
---@field height? number share of the menu's height (1)

---An action and its share of the row.
---@class line.richmenu_cell
---@field [1] line.action
---@field width? number share of the row's width (1)

---What line.richmenu takes: rows or areas, and the rest.
---@class line.richmenu_declaration
---@field name string tells the bot's menus apart; not shown to users
---@field image string a PNG or JPEG file of at most 1 MB, its path from the bot's folder
---@field rows? line.richmenu_row[] the areas as a grid
---@field areas? line.richmenu_area[] the areas as LINE has them
---@field alias? string by which line.action.richmenu_switch finds it
---@field default? boolean true: shown to everybody who has no menu of their own
---@field size? "large"|"compact"|line.richmenu_size unless given, that of the image
---@field chatBarText? string the text of the bar below ("Menu")
---@field selected? boolean false: closed when a chat is opened

---Options of http functions.
---@class line.http_options
---@field query? table<string,any> added to the address; a list of values repeats the name
---@field headers? table<string,string> what is set by moonline itself is refused
---@field json? any the body, as JSON
---@field form? table<string,any> the body, as forms of web pages send it
---@field body? string the body as it is
---@field parts? line.http_part[] the body, as forms with files
---@field timeout? number seconds that all of it may take; of a stream, those without a byte (10)
---@field connect_timeout? number seconds until there is a connection (3)
---@field redirects? integer followed at most; 0: none, the answer is the redirect (5)
---@field retries? integer repetitions of GET, HEAD, PUT, DELETE and OPTIONS that failed in passing (0)
---@field limit? integer bytes of an answer, more is an error (10 MiB)
---@field stream? boolean true: return when the headers are there, and let the script read
---@field verify? true|string a file of certificates that count instead of the system's
---@field basic? string[] user and password

---What http.request takes.
---@class line.http_request: line.http_options
---@field url string
---@field method? string GET unless given

---A part of a form.
---@class line.http_part
---@field name string
---@field body string|number|boolean
---@field filename? string makes it a file
---@field type? string its media type

---What http functions return.
---@class line.http_response
---@field status integer
---@field ok boolean the status is 200 to 299
---@field headers table<string,string> names in small letters; what came several times is joined by ", "
---@field body? string nil of a stream
---@field url string where it came from, redirects followed

---What http functions raise when there is no answer; tostring makes one line of it.
---@class line.http_error
---@field kind "connect"|"timeout"|"dns"|"tls"|"too_large"|"forbidden"|"protocol" what to branch on
---@field message string
---@field url string without credentials and query
---@field status? integer when the answer itself was the trouble
---@field called string what the script called: "http.get"
---@field where string the script's line: "bot.lua:12"
