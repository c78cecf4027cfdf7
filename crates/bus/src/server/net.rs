//! The object of the net program.

use super::StatusObject;
use crate::dictionary::{Dictionary, to_dictionary};
use crate::{NetStatus, UplinkStatus};
use tokio::sync::watch;
use zbus::object_server::SignalEmitter;

/// The object of the net program.
#[derive(Clone)]
pub(crate) struct NetObject {
    status: watch::Receiver<NetStatus>,
}

/// Name, interface, state, chosen, metered, address, text.
type UplinkRow = (String, String, String, bool, bool, String, String);
/// Interface, present, carrier, address, text.
type RobotRow = (String, bool, bool, String, String);

#[zbus::interface(name = "org.robocast.Net1")]
impl NetObject {
    /// The whole status, as a dictionary. Its signal is sent when more than counters changed.
    #[zbus(property)]
    fn status(&self) -> Dictionary {
        to_dictionary(&*self.status.borrow())
    }

    /// The interface of the uplink that new connections are to take; empty: it chose none.
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
            (name, interface, state.word().to_owned(), chosen, metered, address, text)
        };
        self.status.borrow().uplinks.iter().map(row).collect()
    }

    /// The robot's side: interface, present, carrier, address, text.
    #[zbus(property)]
    fn robot(&self) -> RobotRow {
        let robot = self.status.borrow().robot.clone();
        (robot.interface, robot.present, robot.carrier, robot.address, robot.text)
    }

    /// The last steps, or those in progress.
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

    /// Whether the uplinks are the last proven ones, because the new ones were rolled back.
    #[zbus(property)]
    fn former(&self) -> bool {
        self.status.borrow().former
    }

    /// For people: the problem, and how to fix it.
    #[zbus(property)]
    fn text(&self) -> String {
        self.status.borrow().text.clone()
    }
}

impl NetObject {
    pub(crate) fn new(status: watch::Receiver<NetStatus>) -> Self {
        Self { status }
    }
}

impl StatusObject for NetObject {
    type Status = NetStatus;

    fn receiver(&self) -> watch::Receiver<NetStatus> {
        self.status.clone()
    }

    async fn signal_changes(
        &self,
        emitter: &SignalEmitter<'_>,
        before: &NetStatus,
        now: &NetStatus,
    ) -> zbus::Result<()> {
        self.status_changed(emitter).await?;
        if now.chosen != before.chosen {
            self.chosen_changed(emitter).await?;
        }
        if now.why != before.why {
            self.why_changed(emitter).await?;
        }
        if now.uplinks != before.uplinks {
            self.uplinks_changed(emitter).await?;
        }
        if now.robot != before.robot {
            self.robot_changed(emitter).await?;
        }
        if now.plan != before.plan {
            self.plan_changed(emitter).await?;
        }
        if now.proven != before.proven {
            self.proven_changed(emitter).await?;
        }
        if now.uplinks_proven != before.uplinks_proven {
            self.uplinks_proven_changed(emitter).await?;
        }
        if now.reads != before.reads {
            self.reads_changed(emitter).await?;
        }
        if now.former != before.former {
            self.former_changed(emitter).await?;
        }
        if now.text != before.text {
            self.text_changed(emitter).await?;
        }
        Ok(())
    }
}
