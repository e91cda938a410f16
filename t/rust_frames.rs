// SPDX-License-Identifier: MIT
//! Forced unwinding of frames in Rust. The first argument names what is to be done; what is dropped says so.

use std::ffi::c_void;
use std::os::raw::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;

type Fiber = *mut c_void;
type FiberFn = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

// Those that unwind the caller's frames are "C-unwind".
extern "C-unwind" {
    fn coir_create(out: *mut Fiber, function: FiberFn, arg: *mut c_void, options: *const c_void) -> c_int;
    fn coir_resume(fiber: Fiber, value: *mut c_void, result: *mut *mut c_void) -> c_int;
    fn coir_destroy(fiber: Fiber) -> c_int;
    fn coir_yield(value: *mut c_void, result: *mut *mut c_void) -> c_int;
    fn coir_exit(result: *mut c_void) -> c_int;
}

struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

#[inline(never)]
fn suspend() {
    let _inner = Noisy("inner");
    unsafe { coir_yield(null_mut(), null_mut()) };
    println!("went on");
}

unsafe extern "C-unwind" fn suspend_below(arg: *mut c_void) -> *mut c_void {
    let _outer = Noisy("outer");
    suspend();
    arg
}

unsafe extern "C-unwind" fn exit_below(arg: *mut c_void) -> *mut c_void {
    let _outer = Noisy("outer");
    let _inner = Noisy("inner");
    coir_exit(null_mut());
    arg
}

#[inline(never)]
extern "C" fn plain_c() {
    suspend();
}

unsafe extern "C-unwind" fn suspend_below_plain_c(arg: *mut c_void) -> *mut c_void {
    let _outer = Noisy("outer");
    plain_c();
    arg
}

unsafe extern "C-unwind" fn suspend_in_catch(arg: *mut c_void) -> *mut c_void {
    let _outer = Noisy("outer");
    let caught = catch_unwind(AssertUnwindSafe(suspend));
    println!("caught: {}", caught.is_err());
    arg
}

// A panic that is caught in the fiber, before and after it is suspended.
unsafe extern "C-unwind" fn panic_by_turns(arg: *mut c_void) -> *mut c_void {
    for _ in 0..2 {
        let caught = catch_unwind(|| {
            let _inner = Noisy("inner");
            std::panic::resume_unwind(Box::new(5));
        });
        println!("caught: {}", caught.is_err());
        coir_yield(null_mut(), null_mut());
    }
    arg
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let function: FiberFn = match what.as_str() {
        "destroy" => suspend_below,
        "exit" => exit_below,
        "plain" => suspend_below_plain_c,
        "catch" => suspend_in_catch,
        "panic" => panic_by_turns,
        _ => std::process::exit(2),
    };
    let mut fiber: Fiber = null_mut();
    unsafe {
        assert_eq!(coir_create(&mut fiber, function, null_mut(), std::ptr::null()), 0);
        println!("resumed: {}", coir_resume(fiber, null_mut(), null_mut()));
        if what == "panic" {
            println!("resumed: {}", coir_resume(fiber, null_mut(), null_mut()));
        }
        println!("destroyed: {}", coir_destroy(fiber));
    }
}
