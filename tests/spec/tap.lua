-- A test kit for Lua of one page: tap.test(name, fn) runs fn at once and prints its TAP line; tap.done(), the last line
-- of a test file, prints the plan and leaves, unless run.lua has more files.

local tap = {count = 0, failed = 0}

local function show(v)
  if type(v) == "string" then return ("%q"):format(v) end
  if type(v) ~= "table" then return tostring(v) end
  local keys, parts = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do parts[#parts + 1] = "[" .. show(k) .. "]=" .. show(v[k]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- tap.same(got, want): equal in every part; functions and metatables by identity and not at all.
function tap.same(got, want)
  local a, b = show(got), show(want)
  if a ~= b then error(("got  %s\nwant %s"):format(a, b), 2) end
end

-- tap.raises(part, fn, ...): fn raises something whose text holds part. Returns the error.
function tap.raises(part, fn, ...)
  local ok, e = pcall(fn, ...)
  if ok then error("nothing was raised, wanted: " .. part, 2) end
  if not tostring(e):find(part, 1, true) then error(("raised %s\nwanted %s"):format(tostring(e), part), 2) end
  return e
end

function tap.test(name, fn)
  tap.count = tap.count + 1
  local ok, e = xpcall(fn, function(m) return debug.traceback(tostring(m), 2) end)
  if not ok then
    tap.failed = tap.failed + 1
    print("not ok " .. tap.count .. " - " .. name)
    print("# " .. e:gsub("\n", "\n# "))
  else
    print("ok " .. tap.count .. " - " .. name)
  end
end

function tap.done()
  if tap.more then return end
  print("1.." .. tap.count)
  os.exit(tap.count > 0 and tap.failed == 0)
end

return tap
