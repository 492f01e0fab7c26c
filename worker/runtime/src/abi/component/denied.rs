//! Imports beside WASI's own: the log, and what the network offers, which is linked, so that a component that can do without
//! it runs, and denied by the name of the permission.

use crate::abi::host;
use crate::fault::Fault;
use crate::guest::State;
use crate::wasi::network_is_denied;
use casemate_protocol::outcome::TrapKind;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Engine, StoreContextMut};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::ResolveAddressStream;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, Network};
use wasmtime_wasi::p2::bindings::sockets::tcp::TcpSocket;
use wasmtime_wasi::p2::bindings::sockets::udp::UdpSocket;

/// A resource that nobody can have.
struct Denied;

/// Interfaces of which nothing is made here, whatever their version.
const HTTP: &str = "wasi:http/";

/// What makes the first thing of a network, as WASI's own linker names it: interface and function.
const TCP: (&str, &str) = ("wasi:sockets/tcp-create-socket@0.2.12", "create-tcp-socket");
const UDP: (&str, &str) = ("wasi:sockets/udp-create-socket@0.2.12", "create-udp-socket");
const NAMES: (&str, &str) = ("wasi:sockets/ip-name-lookup@0.2.12", "resolve-addresses");

/// A proposal that programs in the field use: `log(level, context, message)`.
const LOGGING: &str = "wasi:logging/logging";

const WARN: i32 = 3;

/// What its levels are in our log.
const LEVELS: [(&str, i32); 5] = [("trace", 0), ("debug", 1), ("info", 2), ("warn", 3), ("error", 4)];

fn logged(interface: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    interface.func_new("log", |mut store: StoreContextMut<'_, State>, _, arguments, _| {
        let [Val::Enum(level), Val::String(context), Val::String(message)] = arguments else { return Ok(()) };
        let level = LEVELS.iter().find(|(name, _)| name == level).map_or(4, |(_, number)| *number);
        let line = if context.is_empty() { message.clone() } else { format!("{context}: {message}") };
        Ok(host::log_in(store.data_mut(), level, line.as_bytes())?)
    })
}

/// Defines them.
pub(super) fn link(
    engine: &Engine,
    linker: &mut Linker<State>,
    component: &Component,
) -> wasmtime::Result<()> {
    linker
        .instance(TCP.0)?
        .func_wrap(TCP.1, |store, (_,): (IpAddressFamily,)| refused::<Resource<TcpSocket>>(store, TCP))?;
    linker
        .instance(UDP.0)?
        .func_wrap(UDP.1, |store, (_,): (IpAddressFamily,)| refused::<Resource<UdpSocket>>(store, UDP))?;
    linker.instance(NAMES.0)?.func_wrap(NAMES.1, |store, (_, _): (Resource<Network>, String)| {
        refused::<Resource<ResolveAddressStream>>(store, NAMES)
    })?;
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        if name.starts_with(LOGGING) {
            logged(&mut linker.instance(name)?)?;
        }
        if !name.starts_with(HTTP) {
            continue;
        }
        let mut interface = linker.instance(name)?;
        for (part, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => trapped(&mut interface, name, part)?,
                // Those of HTTP are ours to make; streams and the like in it are aliases of others.
                ComponentItem::Resource(_) if is_own(part) => {
                    interface.resource(part, ResourceType::host::<Denied>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_own(resource: &str) -> bool {
    !matches!(resource, "input-stream" | "output-stream" | "pollable" | "error" | "io-error" | "duration")
}

/// It answers that access is denied, as it may; the log says by what.
fn refused<T>(
    mut store: StoreContextMut<'_, State>,
    (interface, function): (&str, &str),
) -> wasmtime::Result<(Result<T, ErrorCode>,)> {
    host::log_in(store.data_mut(), WARN, network_is_denied(interface, function).as_bytes())?;
    Ok((Err(ErrorCode::AccessDenied),))
}

/// Its functions have no way to say so; the call ends.
fn trapped(interface: &mut LinkerInstance<'_, State>, name: &str, function: &str) -> wasmtime::Result<()> {
    let sentence = network_is_denied(name, function);
    interface.func_new(function, move |_, _, _, _| {
        Err(Fault::Trap { kind: TrapKind::Other, message: sentence.clone() }.into())
    })
}
