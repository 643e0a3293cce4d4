-- Asks Vestibule whether a request may pass (see haproxy.cfg).
--
-- 200: the identity headers of the answer take their place in the request. Anything else
-- goes to the visitor as it is: the redirect to the provider with its cookie, or a page or
-- problem that says why. Where there is no answer, nobody passes.

local QUESTION = "http://127.0.0.1:4180/_vestibule/auth?mode=redirect"

local IDENTITY = {
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-forwarded-groups",
}

-- About the visitor's connection and body, which are not Vestibule's.
local NOT_ASKED = {
    "connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
}

-- About the answer's connection; HAProxy frames what it sends itself.
local NOT_ANSWERED = { ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true }

-- HAProxy numbers the lines of a field from 0, and wants lists that begin with 1.
local function as_list(lines)
    local list = {}
    for number = 0, #lines do
        list[#list + 1] = lines[number]
    end
    return list
end

core.register_action("ask_vestibule", { "http-req" }, function(txn)
    local headers = {}
    for name, lines in pairs(txn.http:req_get_headers()) do
        headers[name] = as_list(lines)
    end
    for _, name in ipairs(NOT_ASKED) do
        headers[name] = nil
    end
    headers["x-forwarded-method"] = { txn.sf:method() }
    headers["x-forwarded-uri"] = { txn.sf:pathq() }

    local answer = core.httpclient():get({ url = QUESTION, headers = headers, timeout = 10000 })

    if answer and answer.status == 200 then
        for _, name in ipairs(IDENTITY) do
            txn.http:req_del_header(name)
            local lines = answer.headers[name]
            if lines and lines[0] ~= "" then
                txn.http:req_set_header(name, lines[0])
            end
        end
        return
    end

    local reply = txn:reply({ status = 503 })
    if answer and answer.status ~= 0 then
        reply:set_status(answer.status, answer.reason)
        for name, lines in pairs(answer.headers) do
            for _, value in ipairs(NOT_ANSWERED[name] and {} or as_list(lines)) do
                reply:add_header(name, value)
            end
        end
        reply:set_body(answer.body or "")
    end
    txn:done(reply)
end)
