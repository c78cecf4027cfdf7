//! Carries steps out, in order. What fails undoes what was done before it.

use std::io;

use nix::libc;
use rtnetlink::packet_route::route::{RouteProtocol, RouteScope};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::facts::Facts;
use super::gather::Rtnl;
use super::namespace::{Namespace, NamespaceError};
use super::nft::{self, NftError};
use super::request::{address, already, gone, hand_over, index, route, tamed};
use super::step::Step;

/// What went wrong while a step was carried out.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}{}", if *undone { "; what was done before it is undone" } else { "" })]
pub struct ApplyError {
    /// The step.
    pub step: String,
    /// Whether the steps before it are undone: there were some, and all of them could be.
    pub undone: bool,
    /// Why.
    #[source]
    pub why: Fault,
}

/// Why a step fails.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No way to the namespace.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The kernel says no.
    #[error("{error}{}", mend(error))]
    Kernel {
        /// What it says.
        error: io::Error,
    },
    /// nftables says no.
    #[error(transparent)]
    Nft(#[from] NftError),
    /// An interface was there a moment ago.
    #[error("{0} is gone; it is taken when it comes back")]
    Gone(String),
}

fn mend(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; it takes root, or CAP_NET_ADMIN",
        Some(libc::EROFS) => "; /proc/sys must be writable for this program",
        Some(libc::EEXIST) => "; another interface of this name, or such a route, is there already",
        Some(libc::EINVAL) => "; does the kernel let this interface change sides?",
        _ => "",
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Kernel { error }
    }
}

impl From<rtnetlink::Error> for Fault {
    fn from(error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(error) => error.to_io().into(),
            error => io::Error::other(error.to_string()).into(),
        }
    }
}

/// Both sides, to be changed.
#[derive(Debug)]
pub struct Hands<'n> {
    name: &'n str,
    outside: &'n Namespace,
    inside: Option<Inside>,
}

#[derive(Debug)]
struct Inside {
    namespace: Namespace,
    rtnl: Rtnl,
}

/// Carries steps out.
///
/// # Errors
/// When one fails; those before it are undone then, as far as they can be.
pub async fn apply(
    outside: &Namespace,
    name: &str,
    steps: &[Step],
    before: &Facts,
) -> Result<(), ApplyError> {
    let mut hands = Hands { name, outside, inside: None };
    let mut undo: Vec<Back> = Vec::new();
    for step in steps {
        let back = hands.back(step, before).await;
        tracing::debug!("{step}");
        if let Err(why) = hands.carry_out(step).await {
            let undone = hands.undo(&undo).await;
            return Err(ApplyError { step: step.to_string(), undone: undone && !undo.is_empty(), why });
        }
        undo.extend(back);
    }
    Ok(())
}

/// What undoes a step.
#[derive(Debug)]
enum Back {
    Step(Step),
    Firewall(String),
}

impl Hands<'_> {
    async fn undo(&mut self, done: &[Back]) -> bool {
        let mut all = true;
        for back in done.iter().rev() {
            let undone = match back {
                Back::Step(step) => self.carry_out(step).await,
                Back::Firewall(text) => self.guard(text).await,
            };
            if let Err(why) = undone {
                tracing::warn!("not undone: {why}");
                all = false;
            }
        }
        all
    }

    /// What would undo a step. A namespace and a first firewall stay: they harm nobody, and guard.
    async fn back(&mut self, step: &Step, before: &Facts) -> Option<Back> {
        let step = match step {
            Step::Make => return None,
            Step::Guard(_) if before.firewall.is_none() => return None,
            Step::Guard(_) => {
                let namespace = &self.inside().await.ok()?.namespace;
                return nft::listing(namespace).await.ok().flatten().map(Back::Firewall);
            }
            Step::Set(key, _) => Step::Set(key.clone(), before.kernel.get(key)?.clone()),
            Step::Take(name) => Step::GiveBack(name.clone()),
            Step::GiveBack(name) => Step::Take(name.clone()),
            Step::Forget(name, address) => Step::Address(name.clone(), *address),
            Step::Address(name, address) => Step::Forget(name.clone(), *address),
            Step::Up(name) if name == "lo" => return None,
            Step::Up(name) => Step::Down(name.clone()),
            Step::Down(name) => Step::Up(name.clone()),
            Step::Unroute(route) if route.to.is_everything() => return None,
            Step::Unroute(route) => Step::Route(route.clone()),
            Step::Route(route) => Step::Unroute(route.clone()),
        };
        Some(Back::Step(step))
    }

    async fn inside(&mut self) -> Result<&Inside, Fault> {
        if self.inside.is_none() {
            let namespace =
                Namespace::open(self.name)?.ok_or_else(|| Fault::Gone("the robot's side".into()))?;
            let rtnl = Rtnl::open(&namespace).await?;
            self.inside = Some(Inside { namespace, rtnl });
        }
        self.inside.as_ref().ok_or_else(|| Fault::Gone("the robot's side".into()))
    }

    async fn guard(&mut self, text: &str) -> Result<(), Fault> {
        Ok(nft::load(&self.inside().await?.namespace, text).await?)
    }

    async fn carry_out(&mut self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Make => Namespace::make(self.name).await.map(|_| ()).map_err(Fault::from),
            Step::Set(key, value) => {
                let (path, value) = (format!("/proc/sys/net/{key}"), value.clone());
                let optional = key.starts_with("ipv6/");
                let written = self.inside().await?.namespace.run(move || set(&path, &value)).await?;
                match written {
                    // A kernel without IPv6.
                    Err(error) if optional && error.kind() == io::ErrorKind::NotFound => Ok(()),
                    written => Ok(written?),
                }
            }
            Step::Guard(ruleset) => self.guard(&ruleset.text).await,
            Step::Take(name) => {
                let to = self.inside().await?.namespace.clone();
                let from = Rtnl::open(self.outside).await?;
                hand_over(&from, name, &to).await
            }
            Step::GiveBack(name) => {
                let to = self.outside.clone();
                hand_over(&self.inside().await?.rtnl, name, &to).await
            }
            Step::Up(name) | Step::Down(name) => {
                let on = matches!(step, Step::Up(_));
                let rtnl = &self.inside().await?.rtnl;
                let link = LinkMessageBuilder::<LinkUnspec>::default().index(index(rtnl, name).await?);
                let link = if on { link.up() } else { link.down() };
                Ok(rtnl.handle.link().set(link.build()).execute().await?)
            }
            Step::Address(name, own) => {
                let rtnl = &self.inside().await?.rtnl;
                let mut request =
                    rtnl.handle.address().add(index(rtnl, name).await?, own.address, own.prefix);
                if own.address.is_ipv6() {
                    tamed(request.message_mut());
                }
                already(request.execute().await)
            }
            Step::Forget(name, own) => {
                let rtnl = &self.inside().await?.rtnl;
                let message = address(index(rtnl, name).await?, *own);
                gone(rtnl.handle.address().del(message).execute().await)
            }
            Step::Route(to) => {
                let rtnl = &self.inside().await?.rtnl;
                let mut message = route(rtnl, to).await?;
                if to.gateway.is_none() {
                    message.header.scope = RouteScope::Link;
                }
                already(rtnl.handle.route().add(message).execute().await)
            }
            Step::Unroute(to) => {
                let rtnl = &self.inside().await?.rtnl;
                let mut message = route(rtnl, to).await?;
                // Whoever added it, and however far it leads.
                message.header.scope = RouteScope::NoWhere;
                message.header.protocol = RouteProtocol::Unspec;
                gone(rtnl.handle.route().del(message).execute().await)
            }
        }
    }
}

/// `/proc/sys` takes a value whole, as written: there is nothing to be swapped in.
#[allow(clippy::disallowed_methods)]
fn set(path: &str, value: &str) -> io::Result<()> {
    std::fs::write(path, value)
}
