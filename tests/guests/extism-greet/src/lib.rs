//! Greets in the words of its configuration, with the help of a function of its host's.

use extism_pdk::*;

#[host_fn]
extern "ExtismHost" {
    fn shout(text: String) -> String;
}

#[plugin_fn]
pub fn greet(name: String) -> FnResult<String> {
    let greeting = config::get("greeting")?.unwrap_or_else(|| "Hello".to_owned());
    info!("{greeting} is what it says");
    Ok(format!("{greeting}, {name}!"))
}

#[plugin_fn]
pub fn greet_loudly(name: String) -> FnResult<String> {
    let greeting = config::get("greeting")?.unwrap_or_else(|| "Hello".to_owned());
    // SAFETY: it takes and gives text, as its host promises.
    let shouted = unsafe { shout(format!("{greeting}, {name}!"))? };
    Ok(shouted)
}
