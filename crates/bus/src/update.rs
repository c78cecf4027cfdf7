//! The update program on the bus: `org.robocast.Update1`, both sides of it.

use crate::UpdateStatus;
use crate::client::Remote;
use crate::dictionary::{Dictionary, to_dictionary};
use crate::names::{Service, UPDATE, UPDATE_PATH};
use robocast_status::ProgramStatus as _;
use tokio::sync::{mpsc, oneshot, watch};
use zbus::fdo::{self, RequestNameFlags};
use zbus::names::ErrorName;
use zbus::{Connection, DBusError as _, Fd, OwnedFd, connection};

/// Errors of the update program's own.
const NO_RAUC: &str = "org.robocast.Update1.Error.NoRauc";
const BUSY: &str = "org.robocast.Update1.Error.Busy";
const REFUSED: &str = "org.robocast.Update1.Error.Refused";
/// D-Bus's error for a name without an owner.
const UNKNOWN: &str = "org.freedesktop.DBus.Error.ServiceUnknown";

/// A bundle that somebody wants installed.
#[derive(Debug)]
pub struct InstallOrder {
    /// The bundle, open for reading.
    pub bundle: std::os::fd::OwnedFd,
    /// Where the end is reported.
    pub done: oneshot::Sender<Result<(), InstallError>>,
}

/// Why a bundle was not installed. Each kind has its own name on D-Bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// There is no update program on this machine.
    #[error("there is no update program on this machine")]
    NoProgram,
    /// There is no RAUC on this machine: it has no slots.
    #[error("there is no RAUC on this machine")]
    NoRauc,
    /// Another bundle is being installed.
    #[error("another update is being installed")]
    Busy,
    /// RAUC does not install it; why, in its words.
    #[error("{0}")]
    Refused(String),
}

impl InstallError {
    fn from_call(error: fdo::Error) -> Self {
        match error {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Self::NoProgram,
            fdo::Error::ZBus(zbus::Error::MethodError(name, message, _)) => match name.as_str() {
                NO_RAUC => Self::NoRauc,
                BUSY => Self::Busy,
                _ => Self::Refused(message.unwrap_or_else(|| name.to_string())),
            },
            error => Self::Refused(error.description().map_or_else(|| error.to_string(), str::to_owned)),
        }
    }
}

impl zbus::DBusError for InstallError {
    fn create_reply(&self, call: &zbus::message::Header<'_>) -> zbus::Result<zbus::Message> {
        zbus::Message::error(call, self.name()).build(&(self.to_string(),))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(match self {
            Self::NoProgram => UNKNOWN,
            Self::NoRauc => NO_RAUC,
            Self::Busy => BUSY,
            Self::Refused(_) => REFUSED,
        })
    }

    fn description(&self) -> Option<&str> {
        None
    }
}

/// The object on the bus.
struct UpdateObject {
    status: watch::Receiver<UpdateStatus>,
    orders: mpsc::Sender<InstallOrder>,
}

#[zbus::interface(name = "org.robocast.Update1")]
impl UpdateObject {
    /// Installs the bundle behind this file descriptor into the slot that does not run; it runs from the next start on.
    /// Answers when that is done, which may take minutes: a caller sets no short time limit.
    async fn install(&self, bundle: OwnedFd) -> Result<(), InstallError> {
        let ending = || InstallError::Refused("the update program is ending".into());
        let (done, end) = oneshot::channel();
        let order = InstallOrder { bundle: bundle.into(), done };
        self.orders.send(order).await.map_err(|_| ending())?;
        end.await.unwrap_or_else(|_| Err(ending()))
    }

    /// The whole status, as a dictionary.
    #[zbus(property)]
    fn status(&self) -> Dictionary {
        to_dictionary(&*self.status.borrow())
    }

    /// `idle` or `installing`.
    #[zbus(property)]
    fn operation(&self) -> String {
        if self.status.borrow().installing { "installing".into() } else { "idle".into() }
    }

    /// Of the current or last installation: per cent, and the current step, for people.
    #[zbus(property)]
    fn progress(&self) -> (u8, String) {
        let status = self.status.borrow();
        (status.percent, status.text.clone())
    }

    /// For people: why the last installation failed; empty when it did not.
    #[zbus(property)]
    fn last_error(&self) -> String {
        self.status.borrow().last_error.clone()
    }
}

/// The update program on the bus, until it is dropped.
#[derive(Debug)]
pub struct UpdateServer {
    connection: Connection,
    status: watch::Receiver<UpdateStatus>,
    last: UpdateStatus,
}

impl UpdateServer {
    /// Serves the object on `bus`, and takes the name.
    ///
    /// # Errors
    /// The bus fails, or refuses the name: another one has it.
    pub async fn start(
        bus: connection::Builder<'_>,
        status: watch::Receiver<UpdateStatus>,
        orders: mpsc::Sender<InstallOrder>,
    ) -> zbus::Result<Self> {
        let object = UpdateObject { status: status.clone(), orders };
        // The name's owner may be installing: the name is not taken away.
        let bus = bus.allow_name_replacements(false).replace_existing_names(false);
        let connection = bus.serve_at(UPDATE_PATH, object).name(UPDATE).build().await?;
        let last = status.borrow().clone();
        Ok(Self { connection, status, last })
    }

    /// The connection on which it serves.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends the signals of changed properties for as long as the status can change. Cancel safe.
    ///
    /// # Errors
    /// The bus fails.
    pub async fn publish_changes(&mut self) -> zbus::Result<()> {
        let shown = self.connection.object_server().interface::<_, UpdateObject>(UPDATE_PATH).await?;
        loop {
            // Also changes from before this program started.
            let now = self.status.borrow_and_update().clone();
            let (emitter, object) = (shown.signal_emitter(), shown.get().await);
            if now.deserves_signal(&self.last) {
                object.status_changed(emitter).await?;
            }
            if now.installing != self.last.installing {
                object.operation_changed(emitter).await?;
            }
            if (now.percent, &now.text) != (self.last.percent, &self.last.text) {
                object.progress_changed(emitter).await?;
            }
            if now.last_error != self.last.last_error {
                object.last_error_changed(emitter).await?;
            }
            self.last = now;
            if self.status.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Releases the name: from now on a call makes the bus start another program. Earlier calls are still served.
    ///
    /// # Errors
    /// The bus fails.
    pub async fn release_name(&self) -> zbus::Result<()> {
        self.connection.release_name(UPDATE).await.map(drop)
    }

    /// Takes the name again.
    ///
    /// # Errors
    /// The bus fails, or another one has it.
    pub async fn request_name(&self) -> zbus::Result<()> {
        self.connection.request_name_with_flags(UPDATE, RequestNameFlags::DO_NOT_QUEUE).await.map(drop)
    }
}

/// Has the update program install a bundle, and waits for the end. It is started for this if need be.
///
/// # Errors
/// Why it is not installed.
pub async fn install_bundle(
    bus: &Connection,
    bundle: std::os::fd::BorrowedFd<'_>,
) -> Result<(), InstallError> {
    let body = (Fd::from(bundle),);
    let call = bus.call_method(Some(UPDATE), UPDATE_PATH, Some(UPDATE), "Install", &body);
    call.await.map(drop).map_err(|error| InstallError::from_call(error.into()))
}

/// The status of the update program; `None` when it is not on this bus. It is not started for this.
///
/// # Errors
/// The bus fails, or the program does not answer.
pub async fn update_status(bus: &Connection) -> zbus::Result<Option<UpdateStatus>> {
    if !fdo::DBusProxy::new(bus).await?.name_has_owner(UPDATE.try_into()?).await? {
        return Ok(None);
    }
    Remote::on_bus(bus, Service::Update).status_if_there().await
}
