//! Keeps what several threads share usable in a forked child, whoever forks.
//!
//! A child has one thread; a lock that another thread of the parent held at that moment would stay locked for ever. So a fork
//! takes every registered lock first, and lets go of it afterwards in both processes; in the child each value is told. Handlers
//! of the C library do this, because not every fork is Python's: uWSGI forks in C, where Python's own handlers do not run.
//!
//! The locks are the standard library's, which are one word for the kernel and nothing else: what `parking_lot` keeps beside its
//! locks would have to survive the fork as well (it hands a lock over to a waiting thread, which the child does not have).
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError, Weak};
use std::time::Duration;

/// What has to change in a child process.
pub trait AtFork: Send + 'static {
    /// Called once in the child, while it has only one thread. Must not wait for anything.
    fn in_child(&mut self);
}

/// A value behind a lock that is never left locked in a forked child.
#[derive(Debug)]
pub struct Shared<T: AtFork>(Arc<Mutex<T>>);

impl<T: AtFork> Shared<T> {
    /// A lock around `value` that forks respect.
    #[must_use]
    pub fn new(value: T) -> Self {
        install();
        let shared = Arc::new(Mutex::new(value));
        let lock: Arc<dyn Lock> = Arc::clone(&shared) as Arc<dyn Lock>;
        let mut registry = lock_of(&REGISTRY);
        registry.retain(|known| known.strong_count() > 0);
        registry.push(Arc::downgrade(&lock));
        Self(shared)
    }

    /// Waits for the lock. A thread that panicked with it left a value that is still good: nothing here is changed in two steps.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        lock_of(&self.0)
    }

    /// The lock if it is free.
    #[inline]
    #[must_use]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        try_lock_of(&self.0)
    }
}

impl<T: AtFork> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[inline]
fn lock_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline]
fn try_lock_of<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// How long a fork lets others go on before it tries again to take all locks.
const RETRY: Duration = Duration::from_micros(20);

static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTRY: Mutex<Vec<Weak<dyn Lock>>> = Mutex::new(Vec::new());
static HANDLERS: Once = Once::new();

/// Which process this is: a number that differs between a parent and its child.
#[inline]
#[must_use]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Makes forks of this process known from now on. Whoever keeps a [`generation`] calls this before.
pub fn install() {
    HANDLERS.call_once(|| {
        #[expect(
            unsafe_code,
            reason = "the C library's fork handlers have no safe interface"
        )]
        // SAFETY: the handlers are functions of this library, which Python never unloads; they take no arguments.
        unsafe {
            libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child));
        }
    });
}

/// A lock of any value, as a fork sees it.
trait Lock: Send + Sync {
    /// Takes the lock if it is free.
    fn try_hold(self: Arc<Self>) -> Option<Box<dyn Held>>;
}

/// A lock that a fork holds; letting go of it is dropping it.
trait Held {
    fn in_child(&mut self);
}

/// A guard beside the lock that it guards. Fields are dropped in this order.
struct OwnedGuard<T: AtFork> {
    guard: MutexGuard<'static, T>,
    _lock: Arc<Mutex<T>>,
}

impl<T: AtFork> Lock for Mutex<T> {
    fn try_hold(self: Arc<Self>) -> Option<Box<dyn Held>> {
        let guard = try_lock_of(&self)?;
        #[expect(unsafe_code, reason = "a guard cannot own its lock")]
        // SAFETY: the lock stays where it is inside its `Arc`, which lives as long as the guard and is dropped after it.
        let guard =
            unsafe { std::mem::transmute::<MutexGuard<'_, T>, MutexGuard<'static, T>>(guard) };
        Some(Box::new(OwnedGuard { guard, _lock: self }))
    }
}

impl<T: AtFork> Held for OwnedGuard<T> {
    fn in_child(&mut self) {
        self.guard.in_child();
    }
}

type Fork = (MutexGuard<'static, Vec<Weak<dyn Lock>>>, Vec<Box<dyn Held>>);

thread_local! {
    /// What this thread holds while it forks: all three handlers run on it.
    static FORK: RefCell<Option<Fork>> = const { RefCell::new(None) };
}

/// Takes all locks, or none: a thread that holds one and waits for another must get both before the fork goes on.
extern "C" fn before() {
    loop {
        if let Some(fork) = try_hold_all() {
            FORK.set(Some(fork));
            return;
        }
        std::thread::sleep(RETRY);
    }
}

fn try_hold_all() -> Option<Fork> {
    let registry = try_lock_of(&REGISTRY)?;
    let locks = registry.iter().filter_map(Weak::upgrade);
    let held = locks.map(Lock::try_hold).collect::<Option<Vec<_>>>()?;
    Some((registry, held))
}

extern "C" fn after_in_parent() {
    drop(FORK.take());
}

extern "C" fn after_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    if let Some((_registry, mut held)) = FORK.take() {
        for lock in &mut held {
            lock.in_child();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;
    use crate::ids;

    struct Counted(u32);

    impl AtFork for Counted {
        fn in_child(&mut self) {
            self.0 = 0;
        }
    }

    /// Runs `work` in a forked child; true when it returned true.
    fn in_child(work: impl FnOnce() -> bool) -> bool {
        #[expect(unsafe_code, reason = "a fork is what is tested")]
        // SAFETY: the child calls nothing but `work` and `_exit`.
        unsafe {
            match libc::fork() {
                0 => libc::_exit(i32::from(!work())),
                child => {
                    let mut status = 1;
                    libc::waitpid(child, &raw mut status, 0);
                    status == 0
                }
            }
        }
    }

    #[test]
    fn a_lock_that_another_thread_keeps_taking_is_free_and_reset_in_every_child() {
        let shared = Shared::new(Counted(0));
        let stop = Arc::new(AtomicBool::new(false));
        let busy = {
            let (shared, stop) = (shared.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut counted = shared.lock();
                    counted.0 = counted.0.wrapping_add(1) | 1;
                }
            })
        };
        let children = (0..50)
            .filter(|_| in_child(|| shared.try_lock().is_some_and(|counted| counted.0 == 0)))
            .count();
        stop.store(true, Ordering::Relaxed);
        busy.join().unwrap();
        assert_eq!(children, 50);
        assert!(shared.try_lock().is_some_and(|counted| counted.0 != 0));
    }

    #[test]
    fn a_thread_that_takes_two_locks_in_the_other_order_holds_up_no_fork() {
        let (first, second) = (Shared::new(Counted(0)), Shared::new(Counted(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let busy = {
            let (first, second, stop) = (first.clone(), second.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut outer = second.lock();
                    outer.0 = outer.0.wrapping_add(first.lock().0);
                }
            })
        };
        let children = (0..200)
            .filter(|_| in_child(|| first.try_lock().is_some()))
            .count();
        stop.store(true, Ordering::Relaxed);
        busy.join().unwrap();
        assert_eq!(children, 200);
    }

    #[test]
    fn a_child_draws_other_ids_than_its_parent() {
        install();
        let mut pipe = [0; 2];
        let first = ids::trace_id();
        #[expect(unsafe_code, reason = "a pipe to the child")]
        // SAFETY: `pipe` has room for two descriptors, and the buffers are as long as is said.
        let (child, parent) = unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            let written = in_child(|| {
                let id = ids::trace_id();
                libc::write(pipe[1], id.as_ptr().cast(), 16) == 16
            });
            assert!(written);
            let mut child = [0u8; 16];
            assert_eq!(libc::read(pipe[0], child.as_mut_ptr().cast(), 16), 16);
            (child, ids::trace_id())
        };
        assert_ne!(child, parent);
        assert_ne!(first, parent);
    }
}
