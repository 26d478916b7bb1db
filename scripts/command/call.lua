-- `moonline call`: one operation of LINE's API.

local line = require "line"

return function(args, out)
  if #args == 0 then return 2 end
  out.print(json.encode((line.request("GET", args[1]))))
  return 0
end
