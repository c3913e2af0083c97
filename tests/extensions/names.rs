//! Rust names, for tests/logs: the same error, a decision upon an uninitialised value, below
//! functions of odd names; and leaks.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display, Formatter};
use std::hint::black_box;
use std::ops::{Add, Index};
use std::rc::Rc;

#[inline(never)]
fn decide() -> usize {
    let layout = Layout::new::<[u8; 8]>();
    // SAFETY: there is none, which is the point.
    unsafe {
        let block = alloc(layout);
        let found = block.add(3).read_volatile() != 0;
        dealloc(block, layout);
        if found { black_box(1) } else { black_box(2) }
    }
}

trait Decide {
    const NUMBER: usize;
    fn decide(&self) -> usize;
    #[inline(never)]
    fn decide_by_default(&self) -> usize {
        decide() + Self::NUMBER
    }
}

struct Wrapper<'a, T: ?Sized, const SIZE: usize = 3> {
    inner: &'a T,
    cell: Cell<[u8; SIZE]>,
}

impl<T: Debug + ?Sized, const SIZE: usize> Decide for Wrapper<'_, T, SIZE> {
    const NUMBER: usize = SIZE;
    #[inline(never)]
    fn decide(&self) -> usize {
        black_box(&self.inner);
        black_box(&self.cell);
        decide()
    }
}

impl Decide for (i32, &'static str) {
    const NUMBER: usize = 0;
    #[inline(never)]
    fn decide(&self) -> usize {
        decide()
    }
}

impl<T: ?Sized, const SIZE: usize> Drop for Wrapper<'_, T, SIZE> {
    #[inline(never)]
    fn drop(&mut self) {
        decide();
    }
}

impl Add<i32> for &Wrapper<'_, str> {
    type Output = usize;
    #[inline(never)]
    fn add(self, _: i32) -> usize {
        decide()
    }
}

impl Index<()> for Wrapper<'_, str> {
    type Output = str;
    #[inline(never)]
    fn index(&self, (): ()) -> &str {
        decide();
        self.inner
    }
}

impl Display for Wrapper<'_, [Option<Box<dyn Fn(i32) -> u8>>]> {
    #[inline(never)]
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", decide())
    }
}

mod größe {
    #[inline(never)]
    pub extern "C" fn in_module_mit_umlaut() -> usize {
        super::decide()
    }
}

#[inline(never)]
fn call(function: &dyn Fn(&str) -> usize) -> usize {
    function("one")
}

#[inline(never)]
fn call_mutable(mut function: impl FnMut(fn() -> usize) -> usize) -> usize {
    function(decide)
}

#[inline(never)]
fn call_once(function: Box<dyn FnOnce() -> usize + Send>) -> usize {
    function()
}

#[inline(never)]
fn generic<T, F: Fn(T) -> usize>(value: T, function: F) -> usize {
    function(value)
}

fn leak() {
    std::mem::forget(black_box(vec![Rc::new(RefCell::new(1u64))]));
    black_box(Box::leak(Box::new([7u8; 100])));
}

fn main() {
    let numbers = [1, 2, 3];
    let text = Wrapper {
        inner: "text",
        cell: Cell::new([0; 3]),
    };
    let slice: Wrapper<[i32], 7> = Wrapper {
        inner: &numbers,
        cell: Cell::new([0; 7]),
    };
    text.decide();
    slice.decide();
    slice.decide_by_default();
    (1, "two").decide();
    (1, "two").decide_by_default();
    black_box(&text + 1);
    black_box(&text[()]);
    let functions: [Option<Box<dyn Fn(i32) -> u8>>; 1] = [None];
    black_box(
        Wrapper {
            inner: &functions[..],
            cell: Cell::new([0; 3]),
        }
        .to_string(),
    );
    größe::in_module_mit_umlaut();
    call(&|word| word.len() + decide());
    call_mutable(|function| numbers.iter().map(|_| function()).sum());
    call_once(Box::new(move || decide() + numbers.len()));
    generic((1u8, [0i64; 4], 'c', "str", &text), |_| decide());
    generic(None::<fn(&mut str, *const u8) -> !>, |_| decide());
    std::thread::Builder::new()
        .name("rusty".into())
        .spawn(decide)
        .unwrap()
        .join()
        .unwrap();
    leak();
    drop(text);
}
