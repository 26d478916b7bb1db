-- web.static: files of a folder as answers, with what browsers need to keep them and to seek in them.

local answer = require "web.answer"
local core = require "web.core"
local decode = require "web.decode"
local errors = require "line.errors"

local static = {}

local types = {
  html = "text/html; charset=utf-8", htm = "text/html; charset=utf-8", css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8", mjs = "text/javascript; charset=utf-8", txt = "text/plain; charset=utf-8",
  md = "text/plain; charset=utf-8", csv = "text/csv; charset=utf-8", json = "application/json",
  map = "application/json", xml = "application/xml", pdf = "application/pdf", zip = "application/zip",
  wasm = "application/wasm", webmanifest = "application/manifest+json", svg = "image/svg+xml", png = "image/png",
  jpg = "image/jpeg", jpeg = "image/jpeg", gif = "image/gif", webp = "image/webp", avif = "image/avif",
  ico = "image/x-icon", mp4 = "video/mp4", m4v = "video/mp4", mov = "video/quicktime", webm = "video/webm",
  mp3 = "audio/mpeg", m4a = "audio/mp4", aac = "audio/aac", wav = "audio/wav", ogg = "audio/ogg",
  woff = "font/woff", woff2 = "font/woff2", ttf = "font/ttf", otf = "font/otf",
}

-- static.type(name): the media type by the ending of a file's name.
function static.type(name)
  return types[(name:match("%.(%w+)$") or ""):lower()] or "application/octet-stream"
end

-- static.range(header, size)
-- Takes "bytes=0-99". Returns offset and length; nil when the whole is to be sent (no range, several, or none that is
-- understood); or false when nothing of it is there.
function static.range(header, size)
  local first, last = header:match("^%s*bytes%s*=%s*(%d*)%s*%-%s*(%d*)%s*$")
  if not first or #first > 18 or #last > 18 or (first == "" and last == "") then return nil end
  first, last = math.tointeger(first), math.tointeger(last)
  if not first then
    if last == 0 or size == 0 then return false end
    first, last = math.max(size - last, 0), size - 1
  end
  if last and last < first then return nil end
  if first >= size then return false end
  return first, math.min(last or size - 1, size - 1) - first + 1
end

-- Whether the client has this very state already.
local function is_known(request, etag, seconds)
  local match = request.headers["if-none-match"]
  if match then
    if match:match("^%s*%*%s*$") then return true end
    for tag in match:gmatch('"[^"]*"') do
      if tag == etag then return true end
    end
    return false
  end
  local since = request.headers["if-modified-since"]
  since = since and seconds and decode.date(since)
  return since ~= nil and since ~= false and seconds <= since
end

-- A range counts only for the state that the client has begun with.
local function wants_range(request, etag, modified)
  local header, condition = request.headers.range, request.headers["if-range"]
  if not header or request.method ~= "GET" then return nil end
  if condition and condition ~= etag and condition ~= modified then return nil end
  return header
end

-- One file: body(offset, length) gives it, or a part of it.
local function serve(request, options, file)
  local headers = {
    etag = file.etag, ["accept-ranges"] = "bytes", ["x-content-type-options"] = "nosniff",
    ["cache-control"] = options.max_age and ("max-age=%d"):format(options.max_age) or "no-cache",
  }
  if file.seconds then headers["last-modified"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", file.seconds) end
  if is_known(request, file.etag, file.seconds) then return answer.new(304, nil, headers) end
  local wanted = wants_range(request, file.etag, headers["last-modified"])
  local offset, length
  if wanted then offset, length = static.range(wanted, file.size) end
  if offset == false then
    headers["content-range"] = ("bytes */%d"):format(file.size)
    return answer.new(416, {message = "Range Not Satisfiable"}, headers)
  end
  headers["content-type"] = static.type(file.name)
  if not offset then return answer.new(200, file.body(0, file.size), headers) end
  headers["content-range"] = ("bytes %d-%d/%d"):format(offset, offset + length - 1, file.size)
  return answer.new(206, file.body(offset, length), headers)
end

-- Returns the file's facts; or nil, and "directory" when that is what it is.
local function on_disk(path)
  local file, size, seconds, nanoseconds, number = core.open(path)
  if not file then return nil, size end
  return {
    open = file, name = path, size = size, seconds = seconds,
    etag = ('"%x-%x-%x-%x"'):format(number, size, seconds, nanoseconds),
    body = function(offset, length)
      return setmetatable({file = file, offset = offset, length = length}, answer.file_meta)
    end,
  }
end

local function embedded(path)
  local bytes, hash = core.embedded(path)
  if not bytes then return nil end
  return {
    name = path, size = #bytes, etag = ('"%x"'):format(hash),
    body = function(offset, length) return bytes:sub(offset + 1, offset + length) end,
  }
end

local function check_options(options)
  if type(options) ~= "table" then
    errors.misuse("web.static: the options must be a table, not a %s", type(options))
  end
  for name in pairs(options) do
    if name ~= "index" and name ~= "max_age" then
      errors.misuse("web.static: there is no option '%s'%s", tostring(name),
        errors.did_you_mean(tostring(name), {"index", "max_age"}))
    end
  end
  local index, age = options.index or "index.html", options.max_age
  if type(index) ~= "string" or index == "" or index:find("/", 1, true) then
    errors.misuse("web.static: index must be the name of a file")
  end
  if age ~= nil and (math.type(age) ~= "integer" or age < 0) then
    errors.misuse("web.static: max_age must be a whole number of seconds")
  end
  return {index = index, max_age = age}
end

local function check_folder(folder, ours)
  if type(folder) ~= "string" then
    errors.misuse("web.static: the folder must be a string, not a %s", type(folder))
  end
  local inside = folder:match("^embedded:(.+)$")
  if inside and ours then return inside:gsub("/+$", ""), embedded end
  if inside then errors.misuse("web.static: embedded folders are moonline's own") end
  local path = folder:gsub("^%./", ""):gsub("/+$", "")
  if path == "" or path == "." then
    errors.misuse("web.static: '%s' would show the bot's own code; put what is to be seen into a folder", folder)
  end
  for part in (path .. "/"):gmatch("([^/]*)/") do
    if part == "" or part:sub(1, 1) == "." then
      errors.misuse("web.static: '%s' must be a folder below the bot's, without .. and names that begin with a dot",
        folder)
    end
  end
  local file, kind = core.open(path)
  if file then core.close(file) end
  if file or kind ~= "directory" then
    errors.misuse("web.static: there is no folder '%s' beside the bot (links are not followed)", folder)
  end
  return path, on_disk
end

-- static.handler(folder, options, ours)
-- Returns the function(request) that serves what params["*"] names below the folder. ours: whether moonline's own
-- script asks. Raises at the script's line for a folder outside the bot's and for unknown options.
function static.handler(folder, options, ours)
  options = check_options(options or {})
  local base, find = check_folder(folder, ours)
  return function(request)
    local rest = request.params["*"]
    local name = rest
    if name == "" or name:sub(-1) == "/" then name = name .. options.index end
    local file, kind = find(base .. "/" .. name)
    if file then
      local made = serve(request, options, file)
      if file.open and getmetatable(made.body) ~= answer.file_meta then core.close(file.open) end
      return made
    end
    if kind == "directory" then
      return answer.new(301, nil, {location = request.base .. request.raw_path .. "/"})
    end
    return answer.new(404, {message = "Not Found"})
  end
end

return static
