//! One program as others reach it.

use super::properties;
use crate::dictionary::{Dictionary, from_dictionary};
use crate::names::Service;
use robocast_status::ProgramStatus;
use std::path::Path;
use tokio::net::UnixStream;
use zbus::fdo::{self, PropertiesProxy};
use zbus::names::InterfaceName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream, Variant, connection, message};

/// The requests that a program accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteOrder {
    /// Of a camera program: encode at so many bit/s.
    TargetBitrate(u64),
    /// Of a push program: push, although the stream is on demand.
    Start,
    /// Of a push program: stop pushing.
    Stop,
}

/// A program on a bus or at its own socket.
#[derive(Debug, Clone)]
pub struct Remote {
    connection: Connection,
    service: Service,
}

impl Remote {
    /// The program on this bus, whether it is there or not.
    #[must_use]
    pub fn on_bus(bus: &Connection, service: Service) -> Self {
        Self { connection: bus.clone(), service }
    }

    /// The program at its socket in `folder`.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn at_socket(folder: &Path, service: Service) -> zbus::Result<Self> {
        let stream = UnixStream::connect(folder.join(service.socket_name())).await?.into_std()?;
        let connection = connection::Builder::unix_stream(stream).p2p().build().await?;
        Ok(Self { connection, service })
    }

    /// Which program it is.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Its status.
    ///
    /// # Errors
    /// When it is not there, or does not answer.
    pub async fn status<S: ProgramStatus>(&self) -> zbus::Result<S> {
        let status = properties::status_of(&self.service, &self.all_properties().await?);
        Ok(from_dictionary(&status.unwrap_or_default()))
    }

    /// Its status; `None` when it is not there.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status_if_there<S: ProgramStatus>(&self) -> zbus::Result<Option<S>> {
        match self.status().await {
            Ok(status) => Ok(Some(status)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All properties of its object.
    ///
    /// # Errors
    /// When it is not there, or does not answer.
    pub async fn all_properties(&self) -> zbus::Result<Dictionary> {
        Ok(self.properties().await?.get_all(self.interface()?).await?)
    }

    /// Calls a method of it.
    ///
    /// # Errors
    /// When it is not there, or refuses.
    pub async fn send(&self, order: RemoteOrder) -> zbus::Result<()> {
        let method = match order {
            RemoteOrder::TargetBitrate(bps) => {
                let properties = self.properties().await?;
                return Ok(properties.set(self.interface()?, "TargetBitrate", &Variant::from(bps)).await?);
            }
            RemoteOrder::Start => "Start",
            RemoteOrder::Stop => "Stop",
        };
        let (name, path) = (self.service.bus_name(), self.service.path());
        let called =
            self.connection.call_method(Some(name), path, Some(self.service.interface()), method, &()).await;
        called.map(drop)
    }

    /// The change signals of its properties.
    ///
    /// # Errors
    /// When the bus refuses.
    pub async fn changes(&self) -> zbus::Result<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(message::Type::Signal)
            .interface("org.freedesktop.DBus.Properties")
            .member("PropertiesChanged")
            .path(self.service.path())
            .build()?;
        MessageStream::for_match_rule(rule, &self.connection, None).await
    }

    fn interface(&self) -> zbus::Result<InterfaceName<'static>> {
        InterfaceName::try_from(self.service.interface())
    }

    async fn properties(&self) -> zbus::Result<PropertiesProxy<'_>> {
        PropertiesProxy::builder(&self.connection)
            .destination(self.service.bus_name())
            .path(self.service.path())
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }
}

/// Whether an error means that the name has no owner.
fn is_absence(error: &zbus::Error) -> bool {
    let named = |name: &str| {
        name.ends_with("DBus.Error.ServiceUnknown") || name.ends_with("DBus.Error.NameHasNoOwner")
    };
    match error {
        zbus::Error::FDO(error) => {
            matches!(**error, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_))
        }
        zbus::Error::MethodError(name, _, _) => named(name.as_str()),
        _ => false,
    }
}
