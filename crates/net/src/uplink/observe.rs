//! Reads the state of the uplinks: one call per service, and a few for each profile of ours.

use crate::uplink::modem::Modem;
use crate::uplink::network_manager::{
    self as nm, IncomingProfile, NmDeviceProxy, NmObjects, NmProfileProxy, NmProperties, ObjectManagerProxy,
    addresses, path, value,
};
use crate::uplink::observed::{ObservedUplinks, StoredProfile, UplinkDevice};
use crate::uplink::profile::{DIGEST_KEY, PIN_TRIES_KEY};
use robocast_config::{Secret, UplinkKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use zbus::{Connection, OwnedObjectPath, fdo};

/// The sections of a profile that can contain secrets.
const SECRET_SECTIONS: [&str; 3] = ["802-11-wireless-security", "802-1x", "gsm"];

/// The state of the uplinks; `folder` is that of the certificates.
///
/// # Errors
/// When NetworkManager does not run, or does not answer.
pub(crate) async fn observe_uplinks(bus: &Connection, folder: &Path) -> fdo::Result<ObservedUplinks> {
    let objects = objects(bus, nm::SERVICE, "/org/freedesktop").await?;
    let manager = objects.values().find_map(|interfaces| interfaces.get(nm::SERVICE));
    let mut observed = ObservedUplinks {
        version: manager.and_then(|properties| value(properties, "Version")).unwrap_or_default(),
        files: files(folder),
        modems: modems(bus).await,
        ..ObservedUplinks::default()
    };
    for (path, interfaces) in &objects {
        if let Some(properties) = interfaces.get("org.freedesktop.NetworkManager.Device") {
            observed.devices.push(device(path, properties, &objects));
        }
        if interfaces.contains_key("org.freedesktop.NetworkManager.Settings.Connection") {
            // One that vanished meanwhile is left out.
            observed.profiles.extend(known(bus, path).await);
        }
    }
    observed.devices.sort_by(|a, b| a.interface.cmp(&b.interface));
    observed.profiles.sort_by(|a, b| a.path.cmp(&b.path));
    let ours = |uuid: &String| observed.profiles.iter().any(|p| &p.uuid == uuid && p.digest.is_some());
    let active: Vec<_> = (0..observed.devices.len())
        .filter(|i| observed.devices[*i].profile.as_ref().is_some_and(ours))
        .collect();
    for index in active {
        observed.devices[index].applied = applied(bus, &observed.devices[index].path).await;
    }
    Ok(observed)
}

async fn objects(bus: &Connection, service: &'static str, path: &'static str) -> fdo::Result<NmObjects> {
    ObjectManagerProxy::builder(bus)
        .destination(service)
        .path(path)
        .build()
        .await?
        .get_managed_objects()
        .await
}

fn device(path_of: &OwnedObjectPath, properties: &NmProperties, objects: &NmObjects) -> UplinkDevice {
    let kind = match value::<u32>(properties, "DeviceType") {
        // Ethernet, and veth.
        Some(1 | 20) => Some(UplinkKind::Ethernet),
        Some(2) => Some(UplinkKind::Wifi),
        Some(8) => Some(UplinkKind::Lte),
        _ => None,
    };
    let at = |key: &str, interface: &str| objects.get(&path(properties, key)?)?.get(interface);
    let ip4 = at("Ip4Config", "org.freedesktop.NetworkManager.IP4Config");
    let ip6 = at("Ip6Config", "org.freedesktop.NetworkManager.IP6Config");
    let active = at("ActiveConnection", "org.freedesktop.NetworkManager.Connection.Active");
    let configs = || [ip4, ip6].into_iter().flatten();
    let gateway = |config: &NmProperties| value::<String>(config, "Gateway")?.parse::<IpAddr>().ok();
    let mut dns: Vec<_> =
        ip4.iter().flat_map(|ip4| addresses(ip4, "NameserverData")).map(|(address, _)| address).collect();
    let dns6: Vec<Vec<u8>> = ip6.and_then(|ip6| value(ip6, "Nameservers")).unwrap_or_default();
    dns.extend(
        dns6.into_iter().filter_map(|b| <[u8; 16]>::try_from(b).ok()).map(|b| IpAddr::V6(Ipv6Addr::from(b))),
    );
    let interface: String = value(properties, "Interface").unwrap_or_default();
    // A modem has no link but the one assigned to it.
    let link = value(properties, "IpInterface").filter(|link: &String| !link.is_empty());
    let own = || if kind == Some(UplinkKind::Lte) { String::new() } else { interface.clone() };
    let reason: Option<(u32, u32)> = value(properties, "StateReason");
    UplinkDevice {
        path: path_of.to_string(),
        link: link.unwrap_or_else(own),
        interface,
        kind,
        state: value(properties, "State").unwrap_or_default(),
        reason: reason.map_or(0, |(_, reason)| reason),
        managed: value(properties, "Managed").unwrap_or_default(),
        addresses: configs().flat_map(|config| addresses(config, "AddressData")).collect(),
        gateways: configs().filter_map(gateway).collect(),
        dns,
        profile: active.and_then(|active| value(active, "Uuid")),
        applied: None,
    }
}

async fn known(bus: &Connection, path: &OwnedObjectPath) -> Option<StoredProfile> {
    let proxy = NmProfileProxy::builder(bus).path(path.clone()).build().await.ok()?;
    let told = proxy.get_settings().await.ok()?;
    let connection = told.get("connection")?;
    let mut known = StoredProfile {
        path: path.to_string(),
        uuid: value(connection, "uuid")?,
        id: value(connection, "id").unwrap_or_default(),
        digest: user_data(&told, DIGEST_KEY),
        pin_tries: user_data(&told, PIN_TRIES_KEY).and_then(|tries| tries.parse().ok()),
        secrets: BTreeMap::new(),
    };
    for section in
        SECRET_SECTIONS.into_iter().filter(|section| known.digest.is_some() && told.contains_key(*section))
    {
        let secrets = proxy.get_secrets(section).await.unwrap_or_default();
        for (key, secret) in secrets.get(section).into_iter().flatten() {
            if let Ok(secret) = String::try_from(secret.clone()) {
                known.secrets.insert((section.to_owned(), key.clone()), Secret::new(secret));
            }
        }
    }
    Some(known)
}

fn user_data(told: &IncomingProfile, name: &str) -> Option<String> {
    value::<HashMap<String, String>>(told.get("user")?, "data")?.remove(name)
}

async fn applied(bus: &Connection, path: &str) -> Option<String> {
    let proxy = NmDeviceProxy::builder(bus).path(path.to_owned()).build().await.ok()?;
    user_data(&proxy.get_applied_connection(0).await.ok()?.0, DIGEST_KEY)
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

async fn modems(bus: &Connection) -> Vec<Modem> {
    // Without ModemManager there are none.
    let objects = objects(bus, nm::MODEMS, "/org/freedesktop/ModemManager1").await.unwrap_or_default();
    let mut modems: Vec<_> = objects.values().filter_map(modem).collect();
    modems.sort_by(|a, b| a.port.cmp(&b.port));
    modems
}

fn modem(interfaces: &HashMap<String, NmProperties>) -> Option<Modem> {
    let modem = interfaces.get("org.freedesktop.ModemManager1.Modem")?;
    let empty = NmProperties::new();
    let network = interfaces.get("org.freedesktop.ModemManager1.Modem.Modem3gpp").unwrap_or(&empty);
    let retries: HashMap<u32, u32> = value(modem, "UnlockRetries").unwrap_or_default();
    let signal: Option<(u32, bool)> = value(modem, "SignalQuality");
    Some(Modem {
        state: value(modem, "State").unwrap_or_default(),
        failed: value(modem, "StateFailedReason").unwrap_or_default(),
        lock: value(modem, "UnlockRequired").unwrap_or_default(),
        retries: retries.into_iter().collect(),
        registration: value(network, "RegistrationState").unwrap_or_default(),
        operator: value(network, "OperatorName").unwrap_or_default(),
        signal: signal.map_or(0, |(percent, _)| percent),
        port: value(modem, "PrimaryPort").unwrap_or_default(),
    })
}
