// SPDX-License-Identifier: MIT
//! stackless YIELDS [TASKS]: tasks (2) that yield by turns on an executor, as futures without stacks; prints the
//! nanoseconds for one yield. What bench/yield.c is measured against.

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

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let yields: u64 = arguments.next().expect("usage: stackless YIELDS [TASKS]");
    let tasks: u64 = arguments.next().unwrap_or(2);
    let mut executor = Executor { fibs: VecDeque::new() };

    for _ in 0..tasks {
        executor.push(move |mut fib| async move {
            for _ in 0..yields {
                fib.waiter().await;
            }
        });
    }
    let start = Instant::now();
    executor.run();
    println!("{}", start.elapsed().as_nanos() as f64 / (yields * tasks) as f64);
}
