-- One batch of a worker's operations on accounts, applied in order and exactly once: all of it or, when the batch was
-- made in another epoch, nothing. An operation on a key that is something else fails alone.
--
-- KEYS  1 epoch (hash: id, run, at)   2 the worker's link (hash: seq, reply)   3 hungry (zset: account by expiry in ms)
--       4… one per operation
-- ARGV  1 seq   2 run id of the server   3 epoch of the batch   4 grace in ms   5… eight per operation:
--       kind, account, ttl in ms ("" for none), and five more as each kind says
--
-- An account is a hash: e (its epoch), taken, settled. Numbers of Lua are doubles, exact to 2^53 = 9,007,199 USD in
-- 1e-9: sums are therefore kept by HINCRBY, which is exact to 2^63, and beyond 2^53 the comparison leaves a margin.

local function int(text) return tonumber(text or '0') or 0 end
local function text(number) return string.format('%.0f', number) end

local done = redis.call('HMGET', KEYS[2], 'seq', 'reply')
if done[1] == ARGV[1] then return done[2] end

local epoch = redis.call('HMGET', KEYS[1], 'id', 'run', 'at')
local current = ''
if epoch[1] and epoch[2] == ARGV[2] then current = epoch[1] end
if current ~= ARGV[3] then return cjson.encode({epoch = current, moved = true}) end

-- A server that can not write now says so here, before anything is applied.
redis.call('HSET', KEYS[2], 'trying', ARGV[1])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local settling = current ~= '' and int(epoch[3]) + ARGV[4] - now or 0
local HUNGER, EXPECTED_OF, EXPECTED_FOR = 1000, 64, 86400

local function open(key, ttl)
  if (redis.call('HGET', key, 'e') or nil) ~= current then
    redis.call('DEL', key)
    redis.call('HSET', key, 'e', current)
  end
  if ttl ~= '' then redis.call('PEXPIRE', key, ttl) end
end

local function standing(key, limit)
  local held = redis.call('HMGET', key, 'e', 'taken', 'settled')
  local taken, settled = 0, 0
  if held[1] == current then taken, settled = int(held[2]), int(held[3]) end
  local free = limit - settled - taken
  if limit > 9007199254740992 then free = free - 4096 end
  return free, taken
end

local function starve(account) redis.call('ZADD', KEYS[3], now + HUNGER, account) end

local operations = {}

-- need, want, limit, least, alone
function operations.take(key, account, ttl, need, want, limit, least, alone)
  if string.sub(account, 1, 7) == 'budget:' then
    if current == '' then return {'unseeded'} end
    if settling > 0 then return {'settling', text(settling)} end
  end
  need, want, limit, least = int(need), int(want), int(limit), int(least)
  open(key, ttl)
  local free, taken = standing(key, limit)
  local granted, sole = 0, '0'
  if need <= free then
    granted = math.max(need, math.min(want, math.floor(free / 8)))
  else
    if least > 0 and least <= free then
      granted = least
    elseif alone == '1' and taken <= 0 and free > 0 then
      granted, sole = free, '1'
    else
      starve(account)
    end
  end
  if granted > 0 then redis.call('HINCRBY', key, 'taken', text(granted)) end
  return {text(granted), text(free - granted), text(taken + granted), sole, current}
end

-- spent, change of what is taken, epoch it was held in ("*" for any)
function operations.tell(key, account, ttl, spent, change, made_in)
  if made_in ~= '*' and made_in ~= current then return {} end
  open(key, ttl)
  if spent ~= '0' then redis.call('HINCRBY', key, 'settled', spent) end
  if redis.call('HINCRBY', key, 'taken', change) < 0 then redis.call('HSET', key, 'taken', '0') end
  return {}
end

-- limit
function operations.peek(key, account, ttl, limit)
  local free, taken = standing(key, int(limit))
  if taken > 0 then starve(account) end
  return {'0', text(free), text(taken), '0', current}
end

-- spent
function operations.seed(key, account, ttl, spent)
  if redis.call('HGET', key, 'e') ~= current then
    open(key, ttl)
    redis.call('HSET', key, 'settled', spent)
  end
  return {}
end

function operations.hungry()
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
  return redis.call('ZRANGE', KEYS[3], 0, -1)
end

-- cost
function operations.learn(key, account, ttl, cost)
  redis.call('LPUSH', key, cost)
  redis.call('LTRIM', key, 0, EXPECTED_OF - 1)
  redis.call('EXPIRE', key, EXPECTED_FOR)
  return {}
end

function operations.expected(key)
  local dearest = 0
  for _, cost in ipairs(redis.call('LRANGE', key, 0, -1)) do dearest = math.max(dearest, int(cost)) end
  return {text(dearest)}
end

local results, slot = {}, 4
for i = 5, #ARGV, 8 do
  local fine, result = pcall(operations[ARGV[i]], KEYS[slot], unpack(ARGV, i + 1, i + 7))
  if not fine then result = {'error', type(result) == 'table' and result.err or tostring(result)} end
  results[#results + 1] = result
  slot = slot + 1
end

local reply = cjson.encode({epoch = current, results = results})
redis.call('HSET', KEYS[2], 'seq', ARGV[1], 'reply', reply)
redis.call('EXPIRE', KEYS[2], 3600)
return reply
