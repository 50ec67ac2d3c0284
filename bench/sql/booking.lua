-- A booking in Redis: the seats and bookings of one show. Redis runs one script at a time.
-- KEYS[1] the show's free seats, KEYS[2] its bookings (id -> seats), KEYS[3] its holds by expiry;
-- ARGV[1] seats, ARGV[2] booking id
if tonumber(redis.call('GET', KEYS[1])) < tonumber(ARGV[1]) then
  return 0
end
redis.call('DECRBY', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], redis.call('TIME')[1] + 120, ARGV[2])
return 1
