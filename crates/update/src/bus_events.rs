//! The gate's input from the bus: programs that appear and vanish, and push programs that signal a change.

use crate::gate::GateEvent;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use robocast_bus::names::Program;
use zbus::fdo::DBusProxy;
use zbus::{Connection, MatchRule, MessageStream};

/// Programs that appear and vanish: first those that are there already, then each change.
pub(crate) async fn watch_programs(bus: &Connection) -> zbus::Result<BoxStream<'static, GateEvent>> {
    // Subscribe to signals first, then list the existing programs: nothing may be missed in between.
    let daemon = DBusProxy::new(bus).await?;
    let changes = daemon.receive_name_owner_changed().await?;
    let present: Vec<_> = daemon
        .list_names()
        .await?
        .iter()
        .filter_map(|name| program_of(name))
        .map(|(program, stream)| GateEvent::Appeared(program, stream))
        .collect();
    let change = |signal: zbus::fdo::NameOwnerChanged| async move {
        let args = signal.args().ok()?;
        let (program, stream) = program_of(args.name())?;
        Some(match args.new_owner().as_ref() {
            Some(_) => GateEvent::Appeared(program, stream),
            None => GateEvent::Vanished(program, stream),
        })
    };
    Ok(futures_util::stream::iter(present).chain(changes.filter_map(change)).boxed())
}

/// The push programs of these streams that signal a change of their properties.
pub(crate) async fn watch_push_changes(
    bus: &Connection,
    streams: Vec<String>,
) -> zbus::Result<BoxStream<'static, GateEvent>> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .add_arg(Program::Push.interface())
        .build()?;
    let messages = MessageStream::for_match_rule(rule, bus, None).await?;
    let paths: Vec<_> = streams.into_iter().map(|name| (Program::Push.path(&name), name)).collect();
    let changed = move |message: zbus::Result<zbus::Message>| {
        let name = message.ok().and_then(|message| {
            let header = message.header();
            let path = header.path()?.as_str();
            paths.iter().find(|(own, _)| own.as_str() == path).map(|(_, name)| name.clone())
        });
        std::future::ready(name.map(GateEvent::Changed))
    };
    Ok(messages.filter_map(changed).boxed())
}

fn program_of(name: &str) -> Option<(Program, String)> {
    let of = |program: Program| program.stream_of(name).map(|stream| (program, stream.to_owned()));
    of(Program::Camera).or_else(|| of(Program::Push))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_bus_are_told_apart() {
        assert_eq!(program_of("org.robocast.Push1._4k"), Some((Program::Push, "4k".into())));
        assert_eq!(program_of("org.robocast.Camera1.a"), Some((Program::Camera, "a".into())));
        assert_eq!(program_of("org.robocast.Net1"), None);
    }
}
