//! What a connection wakes: the task that waits for it at the time, and while one works on it, nobody.
//!
//! Without it each part of an answer that is taken, and each request that is sent, would wake the task that does so.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Wake, Waker},
};

/// Whom a connection wakes now. All of this is one thread's, as the connection is.
#[derive(Debug, Default)]
pub(super) struct Relay(Mutex<Next>);

#[derive(Debug, Default)]
enum Next {
    #[default]
    Nobody,
    Task(Waker),
    /// There has been something.
    Woken,
}

impl Relay {
    /// Wakes nobody from now on.
    pub(super) fn forget(&self) {
        *self.lock() = Next::Nobody;
    }

    /// Wakes this task, at once where there has been something since [`Self::forget`].
    pub(super) fn wake_next(&self, task: &Waker) {
        let mut next = self.lock();
        if matches!(*next, Next::Woken) {
            task.wake_by_ref();
        } else {
            *next = Next::Task(task.clone());
        }
    }

    /// Takes what has come from the connection, which tells it that there is room again: whoever takes it knows.
    pub(super) fn aside<T>(&self, what: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let next = mem::take(&mut *self.lock());
        let taken = what(&mut Context::from_waker(Waker::noop()));
        *self.lock() = next;
        taken
    }

    /// Whether there has been something since [`Self::forget`].
    pub(super) fn was_woken(&self) -> bool {
        matches!(*self.lock(), Next::Woken)
    }

    fn lock(&self) -> MutexGuard<'_, Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let next = mem::replace(&mut *self.lock(), Next::Woken);
        if let Next::Task(task) = next {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Scene {
        relay: Arc<Relay>,
        connection: Waker,
        tasks: [Arc<Counting>; 2],
    }

    impl Scene {
        fn new() -> Self {
            let relay = Arc::new(Relay::default());
            let connection = Waker::from(Arc::clone(&relay));
            Self { relay, connection, tasks: Default::default() }
        }

        fn waits(&self, task: usize) {
            self.relay.wake_next(&Waker::from(Arc::clone(&self.tasks[task])));
        }

        fn woken(&self) -> [usize; 2] {
            [0, 1].map(|task| self.tasks[task].0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn whoever_waits_is_woken_once_and_nobody_else() {
        let scene = Scene::new();
        scene.connection.wake_by_ref();
        assert_eq!(scene.woken(), [0, 0], "nobody waits yet");
        scene.waits(0);
        assert_eq!(scene.woken(), [1, 0], "what came before somebody waits is not lost");
        scene.relay.forget();
        scene.waits(0);
        assert_eq!(scene.woken(), [1, 0], "it has been looked at");
        scene.connection.wake_by_ref();
        scene.connection.wake_by_ref();
        assert_eq!(scene.woken(), [2, 0]);
        scene.relay.forget();
        scene.waits(0);
        scene.waits(1);
        scene.connection.wake_by_ref();
        assert_eq!(scene.woken(), [2, 1], "the last who waits");
    }

    #[test]
    fn taking_what_has_come_wakes_nobody_and_forgets_nothing() {
        let scene = Scene::new();
        scene.waits(0);
        scene.relay.aside(|_| scene.connection.wake_by_ref());
        assert_eq!(scene.woken(), [0, 0]);
        scene.connection.wake_by_ref();
        assert_eq!(scene.woken(), [1, 0], "it waits still");
        scene.relay.aside(|_| ());
        assert!(scene.relay.was_woken());
        scene.waits(1);
        assert_eq!(scene.woken(), [1, 1]);
    }
}
