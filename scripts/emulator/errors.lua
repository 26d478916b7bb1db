-- The platform's refusals. An operation raises one, api.lua answers with it.
-- https://developers.line.biz/en/reference/messaging-api/#error-responses

local errors = {}

local refusal = {__tostring = function(e) return ("%d %s"):format(e.status, e.body.message or e.body.error or "") end}

-- errors.raise(status, message [, details [, headers]])
-- details: list of {message=, property=}. The body is {message=, details=}. Always raises.
function errors.raise(status, message, details, headers)
  error(setmetatable({status = status, body = {message = message, details = details}, headers = headers}, refusal), 0)
end

-- errors.refuse(status, body): a body of another shape.
function errors.refuse(status, body) error(setmetatable({status = status, body = body}, refusal), 0) end

-- errors.oauth(status, code, description): the other shape, of the token endpoints.
function errors.oauth(status, code, description)
  error(setmetatable({status = status, body = {error = code, error_description = description}}, refusal), 0)
end

-- errors.invalid(details): the structural layer, "The request body has N error(s)".
function errors.invalid(details)
  errors.raise(400, ("The request body has %d error(s)"):format(#details), details)
end

-- errors.property(name [, line, column]): the decoding layer.
function errors.property(name, line, column)
  errors.raise(400, ("The property, '%s', in the request body is invalid (line: %s, column: %s)"):format(
    name, line or "-", column or "-"))
end

-- errors.accepted(request id, sentMessages or nil): the retry key was accepted before, with that request.
function errors.accepted(request, sent)
  error(setmetatable({status = 409, body = {message = "The retry key is already accepted", sentMessages = sent},
    headers = {["x-line-accepted-request-id"] = request}}, refusal), 0)
end

-- errors.is(e): whether e is a refusal (and not a mistake of ours).
function errors.is(e)
  return getmetatable(e) == refusal
end

return errors
