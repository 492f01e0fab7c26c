//! Greets.

use casemate_plugin::{Error, log, plugin};
use serde::{Deserialize, Serialize};

/// What `greet` takes.
#[derive(Debug, Deserialize)]
pub struct Somebody {
    name: String,
}

/// What `greet` answers.
#[derive(Debug, PartialEq, Serialize)]
pub struct Greeting {
    greeting: String,
}

/// The plugin; what is in it stays between calls.
#[derive(Debug, Default)]
pub struct Greeter;

#[plugin]
impl Greeter {
    /// Greets somebody.
    pub fn greet(&self, somebody: Somebody) -> Result<Greeting, Error> {
        if somebody.name.is_empty() {
            return Err(Error::new("no_name", "there is nobody to greet"));
        }
        log::info!("greeting {}", somebody.name);
        Ok(Greeting { greeting: format!("Hello, {}!", somebody.name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ada_is_greeted() {
        let greeting = Greeter.greet(Somebody { name: "Ada".to_owned() });
        assert_eq!(greeting, Ok(Greeting { greeting: "Hello, Ada!".to_owned() }));
    }
}
