-- SPDX-License-Identifier: MIT
-- coroutines.lua - Lua's coroutines, for either of two interpreters (Debian: luajit, lua5.4):
--
--     luajit coroutines.lua plain QUESTION COUNT MILLISECONDS
--     lua5.4 coroutines.lua plain QUESTION COUNT MILLISECONDS
--
-- It is a contender as contender.h has it. Variants: "plain", as the interpreters come; "interpreted", LuaJIT without
-- its compiler, which does not know coroutines, so that loops around them are slower with it than without.
-- Garbage is collected as it falls due, which is part of the figures. Lua's one fine clock tells the processor time of
-- this process, in microseconds. Nothing here waits, so that is as good as real time if it is long enough.
--
-- With more coroutines than the caches hold, Lua 5.4 is up to half as slow again according to how they happen to lie in
-- its heap. Even the length of this file's path can decide it, so all that goes round has the same code and frames.

local LEAST_TIMES = 100
local SHORTEST = 1e6 -- nanoseconds: of less, the clock's steps and what else is collected would be too large a part

local create, resume, wrap, yield = coroutine.create, coroutine.resume, coroutine.wrap, coroutine.yield

local function now()
    return os.clock() * 1e9
end

-- ---- switches ----

local function yield_for_ever()
    while true do
        yield()
    end
end

local coroutines

-- Makes `count` coroutines that have yielded once.
local function make_coroutines(count)
    if coroutines then
        return
    end
    coroutines = {}
    for i = 1, count do
        coroutines[i] = create(yield_for_ever)
        resume(coroutines[i])
    end
end

-- A resume and back, in turn: what an executor would need.
local function round_robin(times, count)
    local rounds = math.ceil(times / count)

    make_coroutines(count)
    local all = coroutines
    local start = now()
    for _ = 1, rounds do
        for i = 1, count do
            resume(all[i])
        end
    end
    return (now() - start) / (rounds * count) * times
end

-- ---- generator ----

local function count_up()
    local n = 1

    while true do
        yield(n)
        n = n + 1
    end
end

local function generator(times)
    local next_item, sum = wrap(count_up), 0
    local start = now()

    for _ = 1, times do
        sum = sum + next_item()
    end
    assert(sum > 0)
    return now() - start
end

-- ---- create, run to the end ----

local function nothing()
end

local function create_and_run(times)
    local start = now()

    for _ = 1, times do
        resume(create(nothing))
    end
    return now() - start
end

-- All at once. To be rid of them is a part of it, so it ends with a full collection.
local function create_cold(_, count)
    collectgarbage()
    local start = now()
    local all = {}

    for i = 1, count do
        all[i] = create(nothing)
    end
    for i = 1, count do
        resume(all[i])
    end
    all = nil
    collectgarbage()
    return now() - start
end

-- ---- memory ----

local function status_bytes(status, name)
    return tonumber(status:match("\n" .. name .. ":%s*(%d+) kB")) * 1024
end

local function measure()
    local status, maps = io.open("/proc/self/status"), io.open("/proc/self/maps")

    if not status or not maps then
        error("this system does not tell", 0)
    end
    local text = status:read("*a")
    local _, mappings = maps:read("*a"):gsub("\n", "")
    status:close()
    maps:close()
    return {status_bytes(text, "VmRSS"), status_bytes(text, "VmSize"), status_bytes(text, "VmPTE"), mappings}
end

-- What is garbage before, or has only served to make them, is not theirs. Of what measuring takes, the first has most.
local function memory(count)
    measure()
    collectgarbage()
    local before = measure()
    make_coroutines(count)
    collectgarbage()
    local after = measure()
    return ("%.0f %.0f %.0f %.0f"):format((after[1] - before[1]) / count, (after[2] - before[2]) / count,
                                          (after[3] - before[3]) / count, after[4] - before[4])
end

-- ---- figures ----

-- As in contender.c: a run that was too short tells how many times would last long enough, but not more than tenfold.
local function more_times(times, took, wanted)
    local factor = took > 0 and wanted / took * 1.1 or 10

    return math.floor(times * math.min(factor, 10)) + 1
end

-- Of each of the times, `share` is asked for.
local function repeated(answer, share)
    return function(count, wanted)
        local times = math.max(count, LEAST_TIMES)
        local took = answer(times, count)

        while took < wanted do
            times = more_times(times, took, wanted)
            took = answer(times, count)
        end
        return ("%.17g"):format(took / times * share)
    end
end

local function once(answer)
    return function(count)
        local took = answer(count, count)

        if took < SHORTEST then
            error("too few to be measured once", 0)
        end
        return ("%.17g"):format(took / count)
    end
end

local answers = {
    switch = repeated(round_robin, 1 / 2),
    robin = repeated(round_robin, 1 / 2),
    yield = repeated(round_robin, 1),
    generator = repeated(generator, 1),
    create = repeated(create_and_run, 1),
    create_cold = once(create_cold),
    memory = memory,
}

-- Is there this variant? It is chosen.
local function choose(variant)
    if variant == "interpreted" and jit then
        jit.off()
        return true
    end
    return variant == "plain"
end

local function fail(why)
    print("- " .. tostring(why))
    os.exit(1)
end

local function main(variant, question, count, milliseconds)
    if not milliseconds then
        io.stderr:write("usage: coroutines.lua VARIANT QUESTION COUNT MILLISECONDS\n")
        os.exit(2)
    end
    count = math.floor(tonumber(count) or 0)
    if not answers[question] or count < 1 or not choose(variant) then
        fail("no such question")
    end
    local made, figure = pcall(answers[question], count, (tonumber(milliseconds) or 0) * 1e6)
    if not made then
        fail(figure)
    end
    print(figure)
end

main(...)
