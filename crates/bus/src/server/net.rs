//! The face of the net program.

use super::word;
use crate::names::{NET, NET_PATH};
use crate::net::{NetStatus, UplinkStatus};
use tokio::sync::watch;
use zbus::connection;

struct Net {
    status: watch::Receiver<NetStatus>,
}

/// Name, interface, state, chosen, metered, address, text.
pub(crate) type UplinkRow = (String, String, String, bool, bool, String, String);
/// Interface, present, carrier, address, text.
pub(crate) type RobotRow = (String, bool, bool, String, String);

#[zbus::interface(name = "org.robocast.Net1")]
impl Net {
    /// The interface of the uplink that new connections are to take; empty: none was chosen.
    #[zbus(property)]
    fn chosen(&self) -> String {
        self.status.borrow().chosen.clone()
    }

    /// For people: why this one.
    #[zbus(property)]
    fn why(&self) -> String {
        self.status.borrow().why.clone()
    }

    /// Each uplink: name, interface, state, chosen, metered, address, text.
    #[zbus(property)]
    fn uplinks(&self) -> Vec<UplinkRow> {
        let row = |uplink: &UplinkStatus| {
            let UplinkStatus { name, interface, state, chosen, metered, address, text } = uplink.clone();
            (name, interface, word(&state), chosen, metered, address, text)
        };
        self.status.borrow().uplinks.iter().map(row).collect()
    }

    /// The robot's side: interface, present, carrier, address, text.
    #[zbus(property)]
    fn robot(&self) -> RobotRow {
        let robot = self.status.borrow().robot.clone();
        (robot.interface, robot.present, robot.carrier, robot.address, robot.text)
    }

    /// The steps that were last carried out, or are being carried out.
    #[zbus(property)]
    fn plan(&self) -> Vec<String> {
        self.status.borrow().plan.clone()
    }

    /// Whether nothing is left to do.
    #[zbus(property)]
    fn proven(&self) -> bool {
        self.status.borrow().proven
    }

    /// Whether nothing is left to do for the uplinks.
    #[zbus(property)]
    fn uplinks_proven(&self) -> bool {
        self.status.borrow().uplinks_proven
    }

    /// How often the settings were read.
    #[zbus(property)]
    fn reads(&self) -> u32 {
        self.status.borrow().reads
    }

    /// Whether the uplinks are those of the settings that were proven last.
    #[zbus(property)]
    fn former(&self) -> bool {
        self.status.borrow().former
    }

    /// For people: what is wrong, and what would mend it.
    #[zbus(property)]
    fn text(&self) -> String {
        self.status.borrow().text.clone()
    }
}

/// Shows the net program on the bus for as long as the future runs.
///
/// # Errors
/// When there is no bus, or it refuses the name.
pub async fn net(status: watch::Receiver<NetStatus>) -> zbus::Result<()> {
    net_by(connection::Builder::system(), status).await
}

/// The same on another bus.
///
/// # Errors
/// When there is no such bus, or it refuses the name.
pub async fn net_by(bus: connection::Builder<'_>, status: watch::Receiver<NetStatus>) -> zbus::Result<()> {
    let mut changes = status.clone();
    let mut last = changes.borrow_and_update().clone();
    let connection = bus.serve_at(NET_PATH, Net { status }).name(NET).build().await?;
    let shown = connection.object_server().interface::<_, Net>(NET_PATH).await?;
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().clone();
        let (emitter, face) = (shown.signal_emitter(), shown.get().await);
        // What push acts on goes first.
        if now.chosen != last.chosen {
            face.chosen_changed(emitter).await?;
        }
        if now.why != last.why {
            face.why_changed(emitter).await?;
        }
        if now.uplinks != last.uplinks {
            face.uplinks_changed(emitter).await?;
        }
        if now.robot != last.robot {
            face.robot_changed(emitter).await?;
        }
        if now.plan != last.plan {
            face.plan_changed(emitter).await?;
        }
        if now.proven != last.proven {
            face.proven_changed(emitter).await?;
        }
        if now.uplinks_proven != last.uplinks_proven {
            face.uplinks_proven_changed(emitter).await?;
        }
        if now.reads != last.reads {
            face.reads_changed(emitter).await?;
        }
        if now.former != last.former {
            face.former_changed(emitter).await?;
        }
        if now.text != last.text {
            face.text_changed(emitter).await?;
        }
        drop(face);
        last = now;
    }
    connection.close().await
}
