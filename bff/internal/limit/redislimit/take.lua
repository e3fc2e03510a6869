-- Decides on all limits of one request: each must allow it, or nothing is taken from any.
--
-- KEYS are the buckets. ARGV[1] is the length of a day; then come, for each bucket, the interval in which a token comes back (0: it is
-- a daily quota), the size, and the cost. The result has, for each bucket, whether it allows the request (1 or 0), what remains,
-- and the times until it is full again and until it would allow the request. All times are in microseconds.
--
-- A bucket's state is the time at which it is full again. A quota's is the end of the day plus a microsecond for each token taken.
-- What is full vanishes. A cost below zero gives back what was taken, up to the size. Numbers are doubles: they are exact up to
-- 2^53, which the sum of now and two spans stays below.
local max_span = 2 ^ 51

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local day = tonumber(ARGV[1])
local midnight = now - now % day + day
local states = redis.call('MGET', unpack(KEYS))

local function quota(state, size, cost)
  local used = math.min(math.max(state - midnight, 0), size)
  local allowed = used + cost <= size
  if allowed then
    used = math.max(used + cost, 0)
  end

  return {
    allowed = allowed, state = midnight + used, expires = midnight, remaining = size - used, reset = midnight - now,
    retry = allowed and 0 or midnight - now,
  }
end

local function bucket(state, interval, size, cost)
  local span = math.min(interval * size, max_span)
  local tat = math.min(math.max(state, now), now + span)
  local next = math.max(tat + math.min(interval * cost, max_span), now)
  local wait = next - now - span
  if wait > 0 then
    next = tat
  end

  return {
    allowed = wait <= 0, state = next, expires = next, remaining = math.floor((span - (next - now)) / interval), reset = next - now,
    retry = math.max(wait, 0),
  }
end

local function decide(i, cost)
  local state, interval, size = tonumber(states[i] or 0), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  if interval == 0 then
    return quota(state, size, cost)
  end

  return bucket(state, interval, size, cost)
end

local decisions, all = {}, true
for i = 1, #KEYS do
  decisions[i] = decide(i, tonumber(ARGV[3 * i + 1]))
  all = all and decisions[i].allowed
end

local results = {}
for i, d in ipairs(decisions) do
  if all and d.expires > now then
    redis.call('SET', KEYS[i], string.format('%.0f', d.state), 'PX', math.ceil((d.expires - now) / 1000))
  elseif all then
    redis.call('DEL', KEYS[i])
  elseif d.allowed then
    d = decide(i, 0)
  end

  results[#results + 1] = d.allowed and 1 or 0
  results[#results + 1] = d.remaining
  results[#results + 1] = d.reset
  results[#results + 1] = d.retry
end

return results
