package rediscache

// The scripts are the atomic operations in Redis.
//
// The state is a hash of two numbers. The count goes up by one with each invalidation. What began at a count below the floor is
// obsolete. A Redis without a state is new, or has lost what it had, and then its count starts at the time in microseconds: higher
// than any count before. A tag has the count of its last invalidation, 0 if there was none, and lives as long as an entry with it:
// an entry without one of its tags is not valid. That does not cover a put of an entry whose tag was invalidated and then evicted,
// so Redis must not evict any. A count that is not reached yet is from before Redis lost its state.
const (
	// luaState and luaTags are parts of several scripts.
	luaState = `
local function state(key)
	local s = redis.call('HMGET', key, 'count', 'floor')
	if not s[1] or not s[2] then
		local t = redis.call('TIME')
		local start = t[1] .. string.format('%06d', t[2])
		redis.call('HSET', key, 'count', start, 'floor', start)
		return start, start
	end
	return s[1], s[2]
end
`
	// Tags are concatenated; see idLength.
	luaTags = `
local function tags(prefix, ids, visit)
	local found = false
	for i = 1, #ids, 22 do found = found or visit(prefix .. string.sub(ids, i, i + 21)) end
	return found
end
`
)

// luaLookup has the keys entry and state, and the prefix of tags.
const luaLookup = luaState + luaTags + `
local count, floor = state(KEYS[2])
local t = redis.call('TIME')
local found = {count, t[1] .. string.format('%06d', t[2])}
local e = redis.call('HMGET', KEYS[1], 'count', 'time', 'tags', 'answer')
if not e[1] or tonumber(e[1]) < tonumber(floor) then return found end
local obsolete = tags(ARGV[1], e[3], function(tag)
	local last = redis.call('GET', tag)
	return not last or tonumber(last) > tonumber(e[1])
end)
if obsolete then return found end
found[3], found[4], found[5] = e[2], e[3], e[4]
return found
`

// luaPut has the keys entry and state, and the prefix of tags, the tags, the count and time when the fetch began, the life of the
// entry and of its tags in milliseconds, and the response. A tag's life is never shortened.
const luaPut = luaState + luaTags + `
local count, floor = state(KEYS[2])
local began = tonumber(ARGV[3])
if began < tonumber(floor) or began > tonumber(count) then return 0 end
local obsolete = tags(ARGV[1], ARGV[2], function(tag)
	local last = redis.call('GET', tag)
	return last and tonumber(last) > began
end)
if obsolete then return 0 end
tags(ARGV[1], ARGV[2], function(tag)
	local left = redis.call('PTTL', tag)
	if left == -2 then
		redis.call('SET', tag, '0', 'PX', ARGV[6])
	elseif left >= 0 and left < tonumber(ARGV[6]) then
		redis.call('PEXPIRE', tag, ARGV[6])
	end
end)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'count', ARGV[3], 'time', ARGV[4], 'tags', ARGV[2], 'answer', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
`

// luaChanged has the key state, and the prefix of tags, the tags and the count since which to look.
const luaChanged = luaState + luaTags + `
local count, floor = state(KEYS[1])
local since = tonumber(ARGV[3])
if since < tonumber(floor) or since > tonumber(count) then return 1 end
if ARGV[2] == '' then return tonumber(count) > since and 1 or 0 end
local changed = tags(ARGV[1], ARGV[2], function(tag)
	local last = redis.call('GET', tag)
	return last and tonumber(last) > since
end)
return changed and 1 or 0
`

// luaWhenFull makes a script work in a Redis that is out of memory, which refuses only the first write of a script: this one, which
// changes nothing, needs no memory.
const luaWhenFull = `redis.call('PERSIST', KEYS[1])
`

// luaInvalidate has the key state, and the prefix of tags, the tags and their life in milliseconds. It works in a Redis that is out
// of memory: otherwise other gateways, which can still read, would go on to serve what is obsolete.
const luaInvalidate = luaState + luaTags + luaWhenFull + `
state(KEYS[1])
redis.call('HINCRBY', KEYS[1], 'count', 1)
local now = redis.call('HGET', KEYS[1], 'count')
tags(ARGV[1], ARGV[2], function(tag)
	local left = redis.call('PTTL', tag)
	if left == -1 then
		redis.call('SET', tag, now)
	else
		redis.call('SET', tag, now, 'PX', math.max(left, tonumber(ARGV[3])))
	end
end)
return 1
`

// luaForget has the key state. It works in a Redis that is out of memory.
const luaForget = luaState + luaWhenFull + `
state(KEYS[1])
redis.call('HINCRBY', KEYS[1], 'count', 1)
redis.call('HSET', KEYS[1], 'floor', redis.call('HGET', KEYS[1], 'count'))
return 1
`
