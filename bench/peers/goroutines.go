// SPDX-License-Identifier: MIT

// goroutines: Go's goroutines and channels (Debian: golang-go).
//
// It is a contender as contender.h has it. The goroutines share one processor, as the tasks of an executor do. Garbage
// collection and preemption are as they come. Goroutines have no switch of their own, so where fibers switch to one
// another, goroutines hand over by a channel. Nor can they be destroyed: one that is not wanted any more ends, or stays
// parked.
//
// Variants: "plain"; "early", for create_cold, where goroutines need not wait until all are started (whoever starts
// many is preempted in between, so most end before the last is started, and their stacks are taken again); "reset",
// for timer, where one timer is set again and again, as one who waits often may do, and none is allocated.
package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const leastTimes = 100

func since(start time.Time) float64 {
	return float64(time.Since(start).Nanoseconds())
}

// ---- goroutines that yield by turns ----

// Plain variables: the goroutines share a processor, and an increment is hardly ever preempted halfway.
var (
	turnsTaken int
	turnsOver  bool
)

func takeTurn() {
	turnsTaken++
	runtime.Gosched()
}

func takeTurns(gate <-chan struct{}, end *sync.WaitGroup) {
	<-gate
	for !turnsOver {
		takeTurn()
	}
	end.Done()
}

// Until that many more turns have been taken, by all.
func takeTurnsUntil(turns int) {
	for end := turnsTaken + turns; turnsTaken < end; {
		takeTurn()
	}
}

// The caller is one of the goroutines. The turns of all are counted, as the scheduler does not keep to the order. The
// gate is for whoever makes many and is preempted in between.
func yields(times, count int) float64 {
	var end sync.WaitGroup
	gate := make(chan struct{})

	turnsOver = false
	end.Add(count - 1)
	for i := 1; i < count; i++ {
		go takeTurns(gate, &end)
	}
	close(gate)
	takeTurnsUntil(2 * count) // all have started
	before, start := turnsTaken, time.Now()
	takeTurnsUntil(times)
	took := since(start)
	taken := turnsTaken - before
	turnsOver = true
	end.Wait()
	return took / float64(taken) * float64(times)
}

// ---- channels ----

func handBack(to <-chan struct{}, back chan<- struct{}) {
	for item := range to {
		back <- item
	}
}

// There and back again is two.
func handOvers(times, count int) float64 {
	to, back := make(chan struct{}), make(chan struct{})

	go handBack(to, back)
	start := time.Now()
	for i := 0; i < times; i += 2 {
		to <- struct{}{}
		<-back
	}
	took := since(start)
	close(to)
	return took
}

func countUp(items chan<- uint64) {
	for n := uint64(1); ; n++ {
		items <- n
	}
}

func generator(times, count int) float64 {
	var sum uint64
	items := make(chan uint64)

	go countUp(items)
	start := time.Now()
	for i := 0; i < times; i++ {
		sum += <-items
	}
	if sum == 0 {
		return -1
	}
	return since(start)
}

func sendItems(items chan<- uint64, times uint64) {
	for i := uint64(1); i <= times; i++ {
		items <- i
	}
	close(items)
}

func passItems(times uint64, capacity int) float64 {
	var sum uint64
	items := make(chan uint64, capacity)

	start := time.Now()
	go sendItems(items, times)
	for item := range items {
		sum += item
	}
	if sum != times*(times+1)/2 {
		return -1
	}
	return since(start)
}

func channel(times, count int) float64 {
	return passItems(uint64(times), 0)
}

func channel16(times, count int) float64 {
	return passItems(uint64(times), 16)
}

// ---- start, run, wait for the end ----

// The function literal is made once, as one for each goroutine would be allocated.
func spawns(times, count int) float64 {
	end := make(chan struct{})
	tellEnd := func() { end <- struct{}{} }

	start := time.Now()
	for i := 0; i < times; i++ {
		go tellEnd()
		<-end
	}
	return since(start)
}

func startAll(count int, function func()) {
	for i := 0; i < count; i++ {
		go function()
	}
}

// All at once. That each goroutine waits for the last costs it one park and one wake.
func createCold(times, count int) float64 {
	var end sync.WaitGroup
	gate := make(chan struct{})

	start := time.Now()
	end.Add(count)
	startAll(count, func() {
		<-gate
		end.Done()
	})
	close(gate)
	end.Wait()
	return since(start)
}

func createColdEarly(times, count int) float64 {
	var end sync.WaitGroup

	start := time.Now()
	end.Add(count)
	startAll(count, func() { end.Done() })
	end.Wait()
	return since(start)
}

// ---- timers ----

const (
	soon  = time.Second
	later = time.Hour
)

var pending []*time.Timer

func nothing() {
}

// Timers that stay: count, with the one that is to be measured.
func setTimers(count int) {
	for i := len(pending) + 1; i < count; i++ {
		pending = append(pending, time.AfterFunc(later+time.Duration(i*7919%count), nothing))
	}
}

func timers(times, count int) float64 {
	setTimers(count)
	start := time.Now()
	for i := 0; i < times; i++ {
		time.AfterFunc(soon+time.Duration(i%7919), nothing).Stop()
	}
	return since(start)
}

func resetTimer(times, count int) float64 {
	setTimers(count)
	timer := time.AfterFunc(later, nothing)
	start := time.Now()
	for i := 0; i < times; i++ {
		timer.Reset(soon + time.Duration(i%7919))
		timer.Stop()
	}
	return since(start)
}

// ---- memory ----

type memory struct {
	resident, mapped, tables, mappings float64
}

// The value of a line "NAME:   123 kB", in bytes.
func statusBytes(status, name string) float64 {
	_, rest, _ := strings.Cut(status, "\n"+name+":")
	value, _, _ := strings.Cut(rest, " kB")
	kilobytes, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return kilobytes * 1024
}

func measure() (memory, error) {
	maps, mapsError := os.ReadFile("/proc/self/maps")
	text, statusError := os.ReadFile("/proc/self/status")

	if mapsError != nil || statusError != nil {
		return memory{}, errors.New("this system does not tell")
	}
	status := string(text)
	return memory{statusBytes(status, "VmRSS"), statusBytes(status, "VmSize"), statusBytes(status, "VmPTE"),
		float64(strings.Count(string(maps), "\n"))}, nil
}

func parkGoroutines(count int, gate <-chan struct{}) {
	var started sync.WaitGroup

	started.Add(count)
	startAll(count, func() {
		started.Done()
		<-gate
	})
	started.Wait()
}

func measureParked(count int) (string, error) {
	gate := make(chan struct{})

	measure() // what it takes itself is taken now
	before, err := measure()
	if err != nil {
		return "", err
	}
	parkGoroutines(count, gate)
	after, err := measure()
	close(gate)
	made := float64(count)
	return fmt.Sprintf("%.0f %.0f %.0f %.0f", (after.resident-before.resident)/made, (after.mapped-before.mapped)/made,
		(after.tables-before.tables)/made, after.mappings-before.mappings), err
}

// ---- figures ----

// A function of these does it `times` times, which is never less than `count`, and returns how many nanoseconds that
// took; or less than none, if it failed.
type answer func(times, count int) float64

var repeated = map[string]answer{
	"plain yield":      yields,
	"plain switch":     handOvers,
	"plain generator":  generator,
	"plain channel":    channel,
	"plain channel_16": channel16,
	"plain spawn":      spawns,
	"plain create":     spawns,
	"plain timer":      timers,
	"reset timer":      resetTimer,
}

var once = map[string]answer{
	"plain create_cold": createCold,
	"early create_cold": createColdEarly,
}

// As in contender.c: a run that was too short tells how many times would last long enough, but not more than tenfold.
func moreTimes(times int, took, wanted float64) int {
	factor := 10.0

	if took > 0 {
		factor = math.Min(factor, wanted/took*1.1)
	}
	return int(float64(times)*factor) + 1
}

func repeat(function answer, count int, wanted float64) float64 {
	times := count

	if times < leastTimes {
		times = leastTimes
	}
	for {
		took := function(times, count)
		if took < 0 || took >= wanted {
			return took / float64(times)
		}
		times = moreTimes(times, took, wanted)
	}
}

func figure(question string, count int, wanted float64) (string, error) {
	var nanoseconds float64

	if count < 1 {
		return "", errors.New("no such question")
	} else if question == "plain memory" {
		return measureParked(count)
	} else if function := repeated[question]; function != nil {
		nanoseconds = repeat(function, count, wanted)
	} else if function := once[question]; function != nil {
		nanoseconds = function(count, count) / float64(count)
	} else {
		return "", errors.New("no such question")
	}
	if nanoseconds < 0 {
		return "", errors.New("it failed")
	}
	return strconv.FormatFloat(nanoseconds, 'g', 17, 64), nil
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: goroutines VARIANT QUESTION COUNT MILLISECONDS")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	count, _ := strconv.Atoi(os.Args[3])
	milliseconds, _ := strconv.ParseFloat(os.Args[4], 64)
	line, err := figure(os.Args[1]+" "+os.Args[2], count, milliseconds*1e6)
	if err != nil {
		fmt.Println("-", err)
		os.Exit(1)
	}
	fmt.Println(line)
}
