//! What the net program says.

use super::{Properties, state, value};
use crate::names::{NET, NET_PATH};
use crate::net::{NetStatus, RobotSideStatus, UplinkStatus};
use crate::server::{RobotRow, UplinkRow};
use zbus::fdo::{Error, PropertiesProxy};
use zbus::names::InterfaceName;
use zbus::{Connection, connection};

/// What the net program says; none when it is not on this bus.
///
/// # Errors
/// When the bus fails, or the program does not answer.
pub async fn net(bus: &Connection) -> zbus::Result<Option<NetStatus>> {
    let proxy = PropertiesProxy::builder(bus).destination(NET).path(NET_PATH).build().await?;
    match proxy.get_all(InterfaceName::try_from(NET)?).await {
        Ok(properties) => Ok(Some(status(&properties))),
        Err(Error::ServiceUnknown(_) | Error::NameHasNoOwner(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The same of the system bus.
///
/// # Errors
/// When there is no bus, it fails, or the program does not answer.
pub async fn net_on_system_bus() -> zbus::Result<Option<NetStatus>> {
    net(&connection::Builder::system().build().await?).await
}

fn status(from: &Properties) -> NetStatus {
    let uplink = |(name, interface, word, chosen, metered, address, text): UplinkRow| UplinkStatus {
        name,
        interface,
        state: state(word),
        chosen,
        metered,
        address,
        text,
    };
    let (interface, present, carrier, address, text): RobotRow = value(from, "Robot");
    NetStatus {
        chosen: value(from, "Chosen"),
        why: value(from, "Why"),
        uplinks: value::<Vec<UplinkRow>>(from, "Uplinks").into_iter().map(uplink).collect(),
        robot: RobotSideStatus { interface, present, carrier, address, text },
        plan: value(from, "Plan"),
        proven: value(from, "Proven"),
        uplinks_proven: value(from, "UplinksProven"),
        reads: value(from, "Reads"),
        former: value(from, "Former"),
        text: value(from, "Text"),
    }
}
