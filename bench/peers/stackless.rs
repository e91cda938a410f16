// SPDX-License-Identifier: MIT
//! stackless: tasks that yield by turns on an executor, as futures, which have no stacks (Debian: rustc).
//!
//! It is a contender as contender.h has it; there is one variant, "plain", and one question, "yield". It is optimised
//! as far as rustc goes: -C opt-level=3 -C lto=fat -C codegen-units=1 --edition 2021.
//!
//! The executor does the least that one can do: it has one thread, its queue is a VecDeque of boxed futures, and all
//! that are in it are ready, so its waker does nothing. It can neither park nor wake a task, has no timers, and does
//! not look for anything outside. What is measured is its whole run, from the first poll until the last future is
//! freed; so that this counts for little, each task has 100 turns or more.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Instant;

enum State {
    Halted,
    Running,
}

struct Fib {
    state: State,
}

impl Fib {
    fn waiter(&mut self) -> Waiter<'_> {
        Waiter { fib: self }
    }
}

struct Waiter<'a> {
    fib: &'a mut Fib,
}

impl Future for Waiter<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context) -> Poll<()> {
        match self.fib.state {
            State::Halted => {
                self.fib.state = State::Running;
                Poll::Ready(())
            }
            State::Running => {
                self.fib.state = State::Halted;
                Poll::Pending
            }
        }
    }
}

struct Executor {
    fibs: VecDeque<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Executor {
    fn push<C, F>(&mut self, closure: C)
    where
        F: Future<Output = ()> + 'static,
        C: FnOnce(Fib) -> F,
    {
        let fib = Fib { state: State::Running };
        self.fibs.push_back(Box::pin(closure(fib)));
    }

    fn run(&mut self) {
        let waker = idle_waker();
        let mut context = Context::from_waker(&waker);

        while let Some(mut fib) = self.fibs.pop_front() {
            match fib.as_mut().poll(&mut context) {
                Poll::Pending => self.fibs.push_back(fib),
                Poll::Ready(()) => {}
            }
        }
    }
}

fn idle_waker() -> Waker {
    fn nothing(_: *const ()) {}
    fn clone(_: *const ()) -> RawWaker {
        RawWaker::new(std::ptr::null(), &TABLE)
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, nothing, nothing, nothing);

    unsafe { Waker::from_raw(clone(std::ptr::null())) }
}

const LEAST_TURNS: u64 = 100;

/// Nanoseconds for so many yields of `count` tasks by turns.
fn take_turns(times: u64, count: u64) -> f64 {
    let turns = (times + count - 1) / count;
    let mut executor = Executor { fibs: VecDeque::new() };

    for _ in 0..count {
        executor.push(move |mut fib| async move {
            for _ in 0..turns {
                fib.waiter().await;
            }
        });
    }
    let start = Instant::now();
    executor.run();
    start.elapsed().as_nanos() as f64 / (turns * count) as f64 * times as f64
}

/// As in contender.c: a run that was too short tells how many times would last long enough, but not more than tenfold.
fn more_times(times: u64, took: f64, wanted: f64) -> u64 {
    let factor = if took > 0.0 { wanted / took * 1.1 } else { 10.0 };

    (times as f64 * factor.min(10.0)) as u64 + 1
}

/// Nanoseconds for one yield.
fn repeat(count: u64, wanted: f64) -> f64 {
    let mut times = count * LEAST_TURNS;

    loop {
        let took = take_turns(times, count);
        if took >= wanted {
            return took / times as f64;
        }
        times = more_times(times, took, wanted);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 5 {
        eprintln!("usage: stackless VARIANT QUESTION COUNT MILLISECONDS");
        std::process::exit(2);
    }
    let count: u64 = arguments[3].parse().unwrap_or(0);
    let milliseconds: f64 = arguments[4].parse().unwrap_or(0.0);

    if arguments[1] != "plain" || arguments[2] != "yield" || count < 1 {
        println!("- no such question");
        std::process::exit(1);
    }
    println!("{}", repeat(count, milliseconds * 1e6));
}
