//! NetworkManager and ModemManager on D-Bus: the parts that are used here.

use crate::uplink::profile::{ProfileValue, Sections};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use zbus::{ObjectPath, OwnedObjectPath, OwnedVariant, Variant, fdo};

/// NetworkManager's bus name.
pub(crate) const SERVICE: &str = "org.freedesktop.NetworkManager";
/// ModemManager's.
pub(crate) const MODEMS: &str = "org.freedesktop.ModemManager1";
/// `NM_CHECKPOINT_CREATE_FLAG_DESTROY_ALL | DELETE_NEW_CONNECTIONS | DISCONNECT_NEW_DEVICES`
pub(crate) const CHECKPOINT_FLAGS: u32 = 0x1 | 0x2 | 0x4;

/// The properties of one interface.
pub(crate) type NmProperties = HashMap<String, OwnedVariant>;
/// NmObjects, their interfaces, their properties.
pub(crate) type NmObjects = HashMap<OwnedObjectPath, HashMap<String, NmProperties>>;
/// A profile's settings as they are received.
pub(crate) type IncomingProfile = HashMap<String, NmProperties>;

/// The manager.
#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager"
)]
pub(crate) trait NmManager {
    /// Saves the state of the devices, of all when none is named; NetworkManager rolls back after `rollback_timeout` s.
    fn checkpoint_create(
        &self,
        devices: &[ObjectPath<'_>],
        rollback_timeout: u32,
        flags: u32,
    ) -> fdo::Result<OwnedObjectPath>;

    /// Commits it.
    fn checkpoint_destroy(&self, checkpoint: &ObjectPath<'_>) -> fdo::Result<()>;

    /// Rolls back now; returns the result for each device.
    fn checkpoint_rollback(&self, checkpoint: &ObjectPath<'_>) -> fdo::Result<HashMap<String, u32>>;

    /// Activates a profile on a device.
    fn activate_connection(
        &self,
        connection: &ObjectPath<'_>,
        device: &ObjectPath<'_>,
        specific_object: &ObjectPath<'_>,
    ) -> fdo::Result<OwnedObjectPath>;
}

/// Its profiles.
#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Settings",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager/Settings"
)]
pub(crate) trait NmProfiles {
    /// Adds one, to disk.
    fn add_connection(&self, connection: OutgoingProfile<'_>) -> fdo::Result<OwnedObjectPath>;

    /// The profile of a UUID.
    fn get_connection_by_uuid(&self, uuid: &str) -> fdo::Result<OwnedObjectPath>;
}

/// A profile's settings as they are sent.
pub(crate) type OutgoingProfile<'a> = HashMap<&'a str, HashMap<&'a str, Variant<'a>>>;

/// One profile.
#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Settings.Connection",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait NmProfile {
    /// Replaces it, to disk.
    fn update(&self, properties: OutgoingProfile<'_>) -> fdo::Result<()>;

    /// Deletes it.
    fn delete(&self) -> fdo::Result<()>;

    /// Its settings, without secrets.
    fn get_settings(&self) -> fdo::Result<IncomingProfile>;

    /// The secrets of one of its sections.
    fn get_secrets(&self, setting_name: &str) -> fdo::Result<IncomingProfile>;
}

/// A device.
#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Device",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait NmDevice {
    /// The active profile, as it was when it was activated, and its version.
    fn get_applied_connection(&self, flags: u32) -> fdo::Result<(IncomingProfile, u64)>;

    /// Whether NetworkManager manages it.
    #[zbus(property)]
    fn set_managed(&self, managed: bool) -> zbus::Result<()>;
}

/// All objects of a service at once.
#[zbus::proxy(interface = "org.freedesktop.DBus.ObjectManager")]
pub(crate) trait ObjectManager {
    /// The objects.
    fn get_managed_objects(&self) -> fdo::Result<NmObjects>;
}

/// A property's value; none when it is missing or of another type.
pub(crate) fn value<T: TryFrom<OwnedVariant>>(properties: &NmProperties, name: &str) -> Option<T> {
    T::try_from(properties.get(name)?.clone()).ok()
}

/// A property that is the path of an object; none for `/`.
pub(crate) fn path(properties: &NmProperties, name: &str) -> Option<OwnedObjectPath> {
    value::<OwnedObjectPath>(properties, name).filter(|path| path.as_str() != "/")
}

/// The addresses in a list of tables, with their prefixes where they have one.
pub(crate) fn addresses(properties: &NmProperties, name: &str) -> Vec<(IpAddr, u8)> {
    let tables: Vec<NmProperties> = value(properties, name).unwrap_or_default();
    let address = |table: &NmProperties| value::<String>(table, "address")?.parse().ok();
    let prefix = |table: &NmProperties| value::<u32>(table, "prefix").and_then(|p| u8::try_from(p).ok());
    tables.iter().filter_map(|table| Some((address(table)?, prefix(table).unwrap_or_default()))).collect()
}

/// A profile's settings as NetworkManager expects them.
pub(crate) fn outgoing(sections: &Sections) -> OutgoingProfile<'_> {
    let keys = |keys: &BTreeMap<&'static str, ProfileValue>| {
        keys.iter().map(|(key, value)| (*key, variant(value))).collect::<HashMap<_, _>>()
    };
    sections.iter().map(|(section, values)| (*section, keys(values))).collect()
}

fn variant(value: &ProfileValue) -> Variant<'static> {
    match value {
        ProfileValue::Flag(flag) => Variant::from(*flag),
        ProfileValue::Number(number) => Variant::from(*number),
        ProfileValue::Long(number) => Variant::from(*number),
        ProfileValue::Count(count) => Variant::from(*count),
        ProfileValue::Text(text) => Variant::from(text.clone()),
        ProfileValue::Bytes(bytes) => Variant::from(bytes.clone()),
        ProfileValue::Texts(texts) => Variant::from(texts.clone()),
        ProfileValue::Addresses(addresses) => {
            let table = |(address, prefix): &(IpAddr, u8)| {
                HashMap::from([
                    ("address".to_owned(), Variant::from(address.to_string())),
                    ("prefix".to_owned(), Variant::from(u32::from(*prefix))),
                ])
            };
            Variant::from(addresses.iter().map(table).collect::<Vec<_>>())
        }
        ProfileValue::Named(names) => Variant::from(names.clone().into_iter().collect::<HashMap<_, _>>()),
        ProfileValue::Secret(secret) => Variant::from(secret.expose().clone()),
    }
}
