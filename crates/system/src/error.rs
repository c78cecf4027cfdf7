//! Why a request to a service of the system failed.

use zbus::{DBusError as _, fdo};

/// A call of a service failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Its name has no owner on the bus, and no service can be started for it.
    #[error("{0} is not running on this machine")]
    NotHere(&'static str),
    /// It answered with an error.
    #[error("{service}: {message}")]
    Refused {
        /// The service.
        service: &'static str,
        /// The error's name on D-Bus.
        name: String,
        /// Its message, for people.
        message: String,
    },
    /// It left the bus before it was done.
    #[error("{0} ended before it was done")]
    Gone(&'static str),
    /// The bus failed.
    #[error("the system bus fails")]
    Bus(#[source] zbus::Error),
}

impl ServiceError {
    /// The error of a call of `service`.
    #[must_use]
    pub fn from_call(service: &'static str, error: fdo::Error) -> Self {
        match error {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Self::NotHere(service),
            fdo::Error::ZBus(zbus::Error::MethodError(name, message, _)) => Self::Refused {
                service,
                message: message.unwrap_or_else(|| name.to_string()),
                name: name.to_string(),
            },
            // A proxy also wraps the standard errors in its own.
            fdo::Error::ZBus(zbus::Error::FDO(error)) => Self::from_call(service, *error),
            fdo::Error::ZBus(error) => Self::Bus(error),
            error => Self::Refused {
                service,
                name: error.name().to_string(),
                message: error.description().unwrap_or_default().to_owned(),
            },
        }
    }

    /// The same for a failure before a call, such as making a proxy.
    #[must_use]
    pub fn from_bus(service: &'static str, error: zbus::Error) -> Self {
        Self::from_call(service, error.into())
    }

    /// Whether the service is not on this machine.
    #[must_use]
    pub const fn is_not_here(&self) -> bool {
        matches!(self, Self::NotHere(_))
    }

    /// Whether it answered with the D-Bus error `wanted`.
    #[must_use]
    pub fn is_named(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::message::Message;
    use zbus::names::OwnedErrorName;

    fn method_error(name: &str, text: Option<&str>) -> zbus::Error {
        let message = Message::method_call("/", "Ping").build(&()).unwrap();
        let name = OwnedErrorName::try_from(name.to_owned()).unwrap();
        zbus::Error::MethodError(name, text.map(str::to_owned), message)
    }

    #[test]
    fn a_service_that_nobody_serves_is_told_apart_from_one_that_refuses() {
        let unknown = fdo::Error::ServiceUnknown("no such name".into());
        assert!(ServiceError::from_call("RAUC", unknown).is_not_here());
        let owner = zbus::Error::FDO(fdo::Error::NameHasNoOwner("x".into()).into());
        assert!(ServiceError::from_bus("RAUC", owner).is_not_here());

        let busy = fdo::Error::Failed("already processing a different method".into());
        let busy = ServiceError::from_call("RAUC", busy);
        assert!(!busy.is_not_here() && busy.is_named("org.freedesktop.DBus.Error.Failed"), "{busy:?}");
        assert_eq!(busy.to_string(), "RAUC: already processing a different method");
    }

    #[test]
    fn an_error_of_the_services_own_keeps_its_name() {
        let name = "org.freedesktop.systemd1.NoSuchUnit";
        let error = ServiceError::from_bus("systemd", method_error(name, Some("Unit x not loaded.")));
        assert!(error.is_named(name) && !error.is_named("org.freedesktop.systemd1.NoSuch"), "{error:?}");
        assert_eq!(error.to_string(), "systemd: Unit x not loaded.");
        // Without a message its name is all there is to show.
        assert_eq!(
            ServiceError::from_bus("systemd", method_error(name, None)).to_string(),
            format!("systemd: {name}")
        );
    }

    #[test]
    fn a_bus_that_fails_is_neither() {
        let error = ServiceError::from_bus("RAUC", zbus::Error::InvalidReply);
        assert!(matches!(error, ServiceError::Bus(zbus::Error::InvalidReply)), "{error:?}");
        assert!(!error.is_not_here());
    }
}
