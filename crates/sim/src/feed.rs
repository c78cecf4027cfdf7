//! Footage in real time: a thread that yields each access unit when it is due.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clip::{Clip, Player, Timed};
use crate::error::Error;
use crate::pattern::{Coding, Pattern, Size};

/// The video that a robot sends.
#[derive(Clone, Debug)]
pub enum Footage {
    Clip(Arc<Clip>),
    Pattern(Coding),
}

impl Footage {
    /// A clip's size is fixed; a pattern's may change.
    pub fn is_resizable(&self) -> bool {
        matches!(self, Self::Pattern(_))
    }
}

/// Receives access units. Called from the feed's thread.
pub trait Sink: Send {
    /// The robot was restarted: all later units belong to a new session.
    fn restarted(&mut self) {}

    /// `timed.shown` never decreases, and includes frozen time.
    fn deliver(&mut self, timed: &Timed) -> Result<(), Error>;
}

/// A running feed. Ends when dropped.
#[derive(Debug)]
pub struct Feed {
    orders: Arc<Orders>,
}

#[derive(Debug)]
struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    frozen: bool,
    ended: bool,
    restart: bool,
    size: Option<Size>,
}

/// Why the thread stopped waiting.
enum Wake {
    Due,
    Ended,
    Restart,
    Resize(Size),
}

impl Orders {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, order: impl FnOnce(&mut State)) {
        order(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until `at`, an order, or the end; time spent frozen is added to `shift`.
    fn wait(&self, at: Instant, shift: &mut Duration) -> Wake {
        let mut state = self.state();
        let mut at = at;
        loop {
            if state.ended {
                return Wake::Ended;
            }
            if std::mem::take(&mut state.restart) {
                return Wake::Restart;
            }
            if state.frozen {
                let began = Instant::now();
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                *shift += began.elapsed();
                at += began.elapsed();
                continue;
            }
            if let Some(size) = state.size.take() {
                return Wake::Resize(size);
            }
            let now = Instant::now();
            if now >= at {
                return Wake::Due;
            }
            state = self.changed.wait_timeout(state, at - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Feed {
    /// Starts the thread; `failed` is called once if it cannot continue.
    pub fn start(
        footage: &Footage,
        frozen: bool,
        sink: impl Sink + 'static,
        failed: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Self, Error> {
        let state = State { frozen, ended: false, restart: false, size: None };
        let orders = Arc::new(Orders { state: Mutex::new(state), changed: Condvar::new() });
        let (footage, theirs) = (footage.clone(), orders.clone());
        thread::Builder::new()
            .name("feed".into())
            .spawn(move || {
                if let Err(error) = run(footage, &theirs, sink) {
                    failed(error);
                }
            })
            .map_err(Error::Thread)?;
        Ok(Self { orders })
    }

    /// Yields nothing until thawed; the footage then continues where it stopped.
    pub fn freeze(&self, frozen: bool) {
        self.orders.give(|state| state.frozen = frozen);
    }

    /// Starts again with the first picture.
    pub fn restart(&self) {
        self.orders.give(|state| {
            state.restart = true;
            state.frozen = false;
        });
    }

    pub fn resize(&self, size: Size) {
        self.orders.give(|state| state.size = Some(size));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.orders.give(|state| state.ended = true);
    }
}

/// A clip or a pattern with its own time line.
enum Source {
    Player(Player),
    Pattern(Box<Pattern>),
}

impl Source {
    fn open(footage: Footage) -> Result<Self, Error> {
        Ok(match footage {
            Footage::Clip(clip) => Self::Player(Player::new(clip)),
            Footage::Pattern(coding) => Self::Pattern(Box::new(Pattern::new(coding)?)),
        })
    }

    fn due(&self) -> Duration {
        match self {
            Self::Player(player) => player.due(),
            Self::Pattern(pattern) => pattern.due(),
        }
    }

    fn advance(&mut self) -> Result<Timed, Error> {
        match self {
            Self::Player(player) => Ok(player.advance()),
            Self::Pattern(pattern) => pattern.advance(),
        }
    }

    fn rewind(&mut self, size: Option<Size>) -> Result<(), Error> {
        match self {
            Self::Player(player) => player.rewind(),
            Self::Pattern(pattern) => pattern.rewind(size)?,
        }
        Ok(())
    }
}

/// A feed that is this late (a stopped process, an overloaded machine) continues from now instead of sending a burst.
const LATE: Duration = Duration::from_millis(500);

fn run(footage: Footage, orders: &Orders, mut sink: impl Sink) -> Result<(), Error> {
    let mut source = Source::open(footage)?;
    let began = Instant::now();
    let mut shift = Duration::ZERO;
    loop {
        let due = began + shift + source.due();
        match orders.wait(due, &mut shift) {
            Wake::Due => {}
            Wake::Ended => return Ok(()),
            Wake::Restart => {
                source.rewind(None)?;
                sink.restarted();
                continue;
            }
            Wake::Resize(size) => {
                source.rewind(Some(size))?;
                continue;
            }
        }
        let late = Instant::now().saturating_duration_since(began + shift + source.due());
        if late > LATE {
            shift += late;
        }
        let mut timed = source.advance()?;
        timed.due += shift;
        timed.shown += shift;
        sink.deliver(&timed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    enum Seen {
        Restarted,
        Unit(Duration, bool),
    }

    struct Channel(mpsc::Sender<Seen>);

    impl Sink for Channel {
        fn restarted(&mut self) {
            let _ = self.0.send(Seen::Restarted);
        }

        fn deliver(&mut self, timed: &Timed) -> Result<(), Error> {
            let _ = self.0.send(Seen::Unit(timed.shown, timed.unit.is_keyframe()));
            Ok(())
        }
    }

    fn pattern() -> Footage {
        gst::init().unwrap();
        Footage::Pattern(Coding {
            size: Size { width: 160, height: 90 },
            fps: 50,
            kbit_per_second: 100,
            keyframe_interval: Duration::from_secs(60),
        })
    }

    const DEADLINE: Duration = Duration::from_secs(5);

    #[test]
    fn access_units_arrive_in_real_time() {
        struct Clocked(mpsc::Sender<(Duration, Instant)>);
        impl Sink for Clocked {
            fn deliver(&mut self, timed: &Timed) -> Result<(), Error> {
                let _ = self.0.send((timed.shown, Instant::now()));
                Ok(())
            }
        }
        let (sender, seen) = mpsc::channel();
        let began = Instant::now();
        let _feed = Feed::start(&pattern(), false, Clocked(sender), |error| panic!("{error}")).unwrap();
        let (first, _) = seen.recv_timeout(DEADLINE).unwrap();
        // On a busy machine they may be late, which is not the feed's fault; none may be early.
        for n in 1..=20 {
            let (shown, delivered) = seen.recv_timeout(DEADLINE).unwrap();
            assert_eq!(shown - first, Duration::from_millis(20) * n);
            assert!(
                delivered - began >= shown - first,
                "picture {n} of 20 ms arrived {:?} after the start",
                delivered - began
            );
        }
        assert!(began.elapsed() < DEADLINE, "20 pictures of 20 ms took {:?}", began.elapsed());
    }

    #[test]
    fn frozen_time_counts_and_a_restart_begins_with_a_keyframe() {
        let (sender, seen) = mpsc::channel();
        let feed = Feed::start(&pattern(), false, Channel(sender), |error| panic!("{error}")).unwrap();
        let Seen::Unit(first, true) = seen.recv_timeout(DEADLINE).unwrap() else {
            panic!("no keyframe first")
        };
        feed.freeze(true);
        let began = Instant::now();
        let mut last = first;
        while let Ok(event) = seen.recv_timeout(Duration::from_millis(150)) {
            let Seen::Unit(at, false) = event else { panic!("a keyframe or a restart nobody asked for") };
            last = at;
            assert!(began.elapsed() < DEADLINE, "not frozen");
        }
        feed.freeze(false);
        let Seen::Unit(thawed, false) = seen.recv_timeout(DEADLINE).unwrap() else { panic!("not the next") };
        assert!(thawed - last >= Duration::from_millis(140), "{last:?} to {thawed:?}");
        feed.restart();
        let restarted = |event| matches!(event, Seen::Restarted);
        while !restarted(seen.recv_timeout(DEADLINE).unwrap()) {}
        assert!(matches!(seen.recv_timeout(DEADLINE).unwrap(), Seen::Unit(_, true)));
    }

    #[test]
    fn a_dropped_feed_ends_its_thread() {
        let (sender, seen) = mpsc::channel();
        let feed = Feed::start(&pattern(), false, Channel(sender), |error| panic!("{error}")).unwrap();
        drop(feed);
        let began = Instant::now();
        while !matches!(seen.recv_timeout(DEADLINE), Err(mpsc::RecvTimeoutError::Disconnected)) {
            assert!(began.elapsed() < DEADLINE);
        }
    }
}
