//! Stand-ins for two services of the box, as much of their real interfaces on D-Bus as robocast uses: systemd, which does
//! not run where tests do, and a RAUC that is busy or has installed another image when a test wants it to. RAUC's interface
//! is that of its `src/de.pengutronix.rauc.Installer.xml`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::{Semaphore, watch};
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Str, fdo};

use crate::bus::Bus;

/// The state of RAUC, and the calls it got.
#[derive(Debug, Default)]
struct Known {
    /// When the image in the booted slot was installed; nothing for one written by the maker.
    installed: Option<String>,
    /// `STATE SLOT` of each call of `Mark`.
    marks: Vec<String>,
    /// So many calls of `Mark` are refused, as when RAUC installs.
    busy: u32,
    /// The bytes of each bundle that it was given.
    bundles: Vec<Vec<u8>>,
    /// Why it installs none.
    refusal: String,
    /// An installation waits for a permit of this semaphore, if there is one.
    hold: Option<Arc<Semaphore>>,
}

/// RAUC with the slots `rootfs.0` (booted, A) and `rootfs.1` (B). It leaves the bus when dropped.
#[derive(Debug)]
pub struct Rauc {
    known: Arc<Mutex<Known>>,
    _served: Served,
}

struct Installer(Arc<Mutex<Known>>);

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(text: &str) -> OwnedVariant {
    OwnedVariant::from(Str::from(text.to_owned()))
}

#[zbus::interface(name = "de.pengutronix.rauc.Installer")]
impl Installer {
    fn mark(&self, state: &str, slot_identifier: &str) -> fdo::Result<(String, String)> {
        let mut known = lock(&self.0);
        if known.busy > 0 {
            known.busy -= 1;
            return Err(fdo::Error::Failed("already processing a different method".into()));
        }
        known.marks.push(format!("{state} {slot_identifier}"));
        Ok(("rootfs.0".into(), format!("marked slot rootfs.0 as {state}")))
    }

    fn get_slot_status(&self) -> Vec<(String, HashMap<String, OwnedVariant>)> {
        let slot = |bootname: &str, state: &str| {
            let told = [("class", "rootfs"), ("type", "raw"), ("bootname", bootname), ("state", state)];
            told.map(|(key, value)| (key.to_owned(), text(value)))
        };
        let mut booted = HashMap::from(slot("A", "booted"));
        if let Some(installed) = &lock(&self.0).installed {
            booted.insert("installed.timestamp".into(), text(installed));
            booted.insert("installed.count".into(), OwnedVariant::from(1u32));
        }
        vec![("rootfs.1".into(), HashMap::from(slot("B", "inactive"))), ("rootfs.0".into(), booted)]
    }

    /// Reads the bundle, and answers; the result is in the signal `Completed`.
    fn install_bundle(
        &self,
        source: &str,
        _args: HashMap<String, OwnedVariant>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<()> {
        let bundle =
            std::fs::read(source).map_err(|error| fdo::Error::Failed(format!("{source}: {error}")))?;
        let (known, emitter) = (self.0.clone(), emitter.into_owned());
        lock(&known).bundles.push(bundle);
        tokio::spawn(async move {
            let hold = lock(&known).hold.clone();
            let here = Installer(known);
            here.progress_changed(&emitter).await.unwrap();
            if let Some(hold) = hold {
                hold.acquire().await.unwrap().forget();
            }
            let result = i32::from(!lock(&here.0).refusal.is_empty());
            Self::completed(&emitter, result).await.unwrap();
        });
        Ok(())
    }

    #[zbus(signal)]
    async fn completed(emitter: &SignalEmitter<'_>, result: i32) -> zbus::Result<()>;

    #[zbus(property)]
    fn progress(&self) -> (i32, String, i32) {
        (60, "Copying image to rootfs.1".into(), 2)
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> String {
        lock(&self.0).refusal.clone()
    }

    #[zbus(property)]
    fn boot_slot(&self) -> String {
        "A".into()
    }

    #[zbus(property)]
    fn operation(&self) -> String {
        "idle".into()
    }
}

/// A service on the bus, on its own thread. It leaves the bus when dropped.
#[derive(Debug)]
struct Served {
    /// How often the test asked for a change; closed when the service is to end.
    changes: Option<watch::Sender<u32>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves the objects that `build` adds to a connection; `change` is run for each change that the test requests.
    /// Returns when it is on the bus.
    fn start(
        bus: &Bus,
        build: impl FnOnce(Builder<'static>) -> Builder<'static> + Send + 'static,
        change: impl AsyncFn(&Connection) + Send + 'static,
    ) -> Self {
        let (address, (changes, mut asked)) = (bus.address(), watch::channel(0));
        let (tell, ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let address: zbus::Address = address.parse().unwrap();
                let connection = build(Builder::address(address)).build().await.unwrap();
                tell.send(()).unwrap();
                while asked.changed().await.is_ok() {
                    change(&connection).await;
                }
            });
        });
        ready.recv().expect("the stand-in is on the bus");
        Self { changes: Some(changes), thread: Some(thread) }
    }

    fn change(&self) {
        self.changes.iter().for_each(|changes| changes.send_modify(|count| *count += 1));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.changes = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Rauc {
    /// RAUC, with an image installed at `installed`.
    pub fn start(bus: &Bus, installed: &str) -> Self {
        let known = Arc::new(Mutex::new(Known { installed: Some(installed.into()), ..Known::default() }));
        let installer = Installer(known.clone());
        let build = |builder: Builder<'static>| builder.serve_at("/", installer).name("de.pengutronix.rauc");
        Self { known, _served: Served::start(bus, build, async |_| ()) }
    }

    /// Another image was installed.
    pub fn install(&self, installed: &str) {
        lock(&self.known).installed = Some(installed.into());
    }

    /// Makes it refuse the next calls of `Mark`.
    pub fn be_busy(&self, calls: u32) {
        lock(&self.known).busy = calls;
    }

    /// Makes it refuse every bundle from now on, with this message.
    pub fn refuse(&self, why: &str) {
        lock(&self.known).refusal = why.into();
    }

    /// Makes each installation wait for [`Self::let_one_end`].
    pub fn hold_installations(&self) {
        lock(&self.known).hold = Some(Arc::new(Semaphore::new(0)));
    }

    /// Lets one installation that is held end.
    pub fn let_one_end(&self) {
        lock(&self.known).hold.iter().for_each(|hold| hold.add_permits(1));
    }

    /// The bytes of each bundle that it was given.
    pub fn bundles(&self) -> Vec<Vec<u8>> {
        lock(&self.known).bundles.clone()
    }

    /// The marks so far: `STATE SLOT`, as requested.
    pub fn marks(&self) -> Vec<String> {
        lock(&self.known).marks.clone()
    }
}

/// systemd with one unit, `robocast-network.target`. It leaves the bus when dropped.
#[derive(Debug)]
pub struct Systemd(Served);

const UNIT: &str = "/org/freedesktop/systemd1/unit/robocast_2dnetwork_2etarget";

struct Manager;

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn subscribe(&self) {}

    fn load_unit(&self, name: &str) -> fdo::Result<OwnedObjectPath> {
        match name {
            "robocast-network.target" => Ok(OwnedObjectPath::try_from(UNIT).unwrap()),
            other => Err(fdo::Error::Failed(format!("Unit {other} not found."))),
        }
    }
}

struct Target {
    active: bool,
}

#[zbus::interface(name = "org.freedesktop.systemd1.Unit")]
impl Target {
    #[zbus(property)]
    fn active_state(&self) -> String {
        if self.active { "active".into() } else { "inactive".into() }
    }
}

impl Systemd {
    /// systemd, its target inactive.
    pub fn start(bus: &Bus) -> Self {
        let build = |builder: Builder<'static>| {
            let builder = builder.serve_at("/org/freedesktop/systemd1", Manager);
            builder.serve_at(UNIT, Target { active: false }).name("org.freedesktop.systemd1")
        };
        Self(Served::start(bus, build, async |connection: &Connection| {
            let unit = connection.object_server().interface::<_, Target>(UNIT).await.unwrap();
            unit.get_mut().await.active = true;
            unit.get().await.active_state_changed(unit.signal_emitter()).await.unwrap();
        }))
    }

    /// The target becomes active.
    pub fn reach(&self) {
        self.0.change();
    }
}
