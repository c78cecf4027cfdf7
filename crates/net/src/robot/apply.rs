//! Executes steps in order. When one fails, those before it are undone.

use std::io;

use rtnetlink::packet_route::route::{RouteProtocol, RouteScope};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::namespace::Namespace;
use super::nft;
use super::observe::NetlinkHandle;
use super::observed::ObservedRobotNetwork;
use super::request::{
    StepError, accept_existing, accept_missing, address_message, interface_index, move_interface,
    route_message, skip_duplicate_detection,
};
use super::step::RobotStep;

/// A step failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}{}", if *undone { "; the steps before it were undone" } else { "" })]
pub struct ApplyError {
    /// The step.
    pub step: String,
    /// Whether there were steps before it, and all of them were undone.
    pub undone: bool,
    /// Why.
    #[source]
    pub why: StepError,
}

/// Changes both sides.
#[derive(Debug)]
pub struct Executor<'n> {
    name: &'n str,
    outside: &'n Namespace,
    inside: Option<Inside>,
}

#[derive(Debug)]
struct Inside {
    namespace: Namespace,
    rtnl: NetlinkHandle,
}

/// Executes steps.
///
/// # Errors
/// When one fails; those before it are then undone, as far as possible.
pub async fn apply_steps(
    outside: &Namespace,
    name: &str,
    steps: &[RobotStep],
    before: &ObservedRobotNetwork,
) -> Result<(), ApplyError> {
    let mut executor = Executor { name, outside, inside: None };
    let mut undo: Vec<Undo> = Vec::new();
    for step in steps {
        let inverse = executor.inverse_of(step, before).await;
        tracing::debug!("{step}");
        if let Err(why) = executor.execute(step).await {
            let undone = executor.undo_steps(&undo).await;
            return Err(ApplyError { step: step.to_string(), undone: undone && !undo.is_empty(), why });
        }
        undo.extend(inverse);
    }
    Ok(())
}

/// The inverse of a step.
#[derive(Debug)]
enum Undo {
    Step(RobotStep),
    Firewall(String),
}

impl Executor<'_> {
    async fn undo_steps(&mut self, done: &[Undo]) -> bool {
        let mut all = true;
        for inverse in done.iter().rev() {
            let undone = match inverse {
                Undo::Step(step) => self.execute(step).await,
                Undo::Firewall(text) => self.load_firewall(text).await,
            };
            if let Err(why) = undone {
                tracing::warn!("a step could not be undone: {why}");
                all = false;
            }
        }
        all
    }

    /// The inverse of a step. A namespace and a first firewall are left in place: they only protect.
    async fn inverse_of(&mut self, step: &RobotStep, before: &ObservedRobotNetwork) -> Option<Undo> {
        let step = match step {
            RobotStep::CreateNamespace => return None,
            RobotStep::LoadFirewall(_) if before.firewall.is_none() => return None,
            RobotStep::LoadFirewall(_) => {
                let namespace = &self.inside().await.ok()?.namespace;
                return nft::list_table(namespace).await.ok().flatten().map(Undo::Firewall);
            }
            RobotStep::SetKernel(key, _) => {
                RobotStep::SetKernel(key.clone(), before.kernel.get(key)?.clone())
            }
            RobotStep::MoveIn(name) => RobotStep::MoveOut(name.clone()),
            RobotStep::MoveOut(name) => RobotStep::MoveIn(name.clone()),
            RobotStep::RemoveAddress(name, address) => RobotStep::AddAddress(name.clone(), *address),
            RobotStep::AddAddress(name, address) => RobotStep::RemoveAddress(name.clone(), *address),
            RobotStep::SwitchOn(name) if name == "lo" => return None,
            RobotStep::SwitchOn(name) => RobotStep::SwitchOff(name.clone()),
            RobotStep::SwitchOff(name) => RobotStep::SwitchOn(name.clone()),
            RobotStep::RemoveRoute(route) if route.to.is_everything() => return None,
            RobotStep::RemoveRoute(route) => RobotStep::AddRoute(route.clone()),
            RobotStep::AddRoute(route) => RobotStep::RemoveRoute(route.clone()),
        };
        Some(Undo::Step(step))
    }

    async fn inside(&mut self) -> Result<&Inside, StepError> {
        if self.inside.is_none() {
            let namespace =
                Namespace::open(self.name)?.ok_or_else(|| StepError::Gone("the robot's side".into()))?;
            let rtnl = NetlinkHandle::open(&namespace).await?;
            self.inside = Some(Inside { namespace, rtnl });
        }
        self.inside.as_ref().ok_or_else(|| StepError::Gone("the robot's side".into()))
    }

    async fn load_firewall(&mut self, text: &str) -> Result<(), StepError> {
        Ok(nft::load_ruleset(&self.inside().await?.namespace, text).await?)
    }

    async fn execute(&mut self, step: &RobotStep) -> Result<(), StepError> {
        match step {
            RobotStep::CreateNamespace => {
                Namespace::create(self.name).await.map(|_| ()).map_err(StepError::from)
            }
            RobotStep::SetKernel(key, value) => {
                let (path, value) = (format!("/proc/sys/net/{key}"), value.clone());
                let optional = key.starts_with("ipv6/");
                let written =
                    self.inside().await?.namespace.run(move || write_kernel_setting(&path, &value)).await?;
                match written {
                    // A kernel without IPv6.
                    Err(error) if optional && error.kind() == io::ErrorKind::NotFound => Ok(()),
                    written => Ok(written?),
                }
            }
            RobotStep::LoadFirewall(ruleset) => self.load_firewall(&ruleset.text).await,
            RobotStep::MoveIn(name) => {
                let to = self.inside().await?.namespace.clone();
                let from = NetlinkHandle::open(self.outside).await?;
                move_interface(&from, name, &to).await
            }
            RobotStep::MoveOut(name) => {
                let to = self.outside.clone();
                move_interface(&self.inside().await?.rtnl, name, &to).await
            }
            RobotStep::SwitchOn(name) | RobotStep::SwitchOff(name) => {
                let on = matches!(step, RobotStep::SwitchOn(_));
                let rtnl = &self.inside().await?.rtnl;
                let link =
                    LinkMessageBuilder::<LinkUnspec>::default().index(interface_index(rtnl, name).await?);
                let link = if on { link.up() } else { link.down() };
                Ok(rtnl.handle.link().set(link.build()).execute().await?)
            }
            RobotStep::AddAddress(name, own) => {
                let rtnl = &self.inside().await?.rtnl;
                let mut request =
                    rtnl.handle.address().add(interface_index(rtnl, name).await?, own.address, own.prefix);
                if own.address.is_ipv6() {
                    skip_duplicate_detection(request.message_mut());
                }
                accept_existing(request.execute().await)
            }
            RobotStep::RemoveAddress(name, own) => {
                let rtnl = &self.inside().await?.rtnl;
                let message = address_message(interface_index(rtnl, name).await?, *own);
                accept_missing(rtnl.handle.address().del(message).execute().await)
            }
            RobotStep::AddRoute(to) => {
                let rtnl = &self.inside().await?.rtnl;
                let mut message = route_message(rtnl, to).await?;
                if to.gateway.is_none() {
                    message.header.scope = RouteScope::Link;
                }
                accept_existing(rtnl.handle.route().add(message).execute().await)
            }
            RobotStep::RemoveRoute(to) => {
                let rtnl = &self.inside().await?.rtnl;
                let mut message = route_message(rtnl, to).await?;
                // Matches the route no matter who added it, or with which scope.
                message.header.scope = RouteScope::NoWhere;
                message.header.protocol = RouteProtocol::Unspec;
                accept_missing(rtnl.handle.route().del(message).execute().await)
            }
        }
    }
}

/// `/proc/sys` takes a value in one write: no file is replaced.
#[allow(clippy::disallowed_methods)]
fn write_kernel_setting(path: &str, value: &str) -> io::Result<()> {
    std::fs::write(path, value)
}
