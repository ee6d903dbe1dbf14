//! `mngr:gateway/settings`: environment variables of the gateway, only those granted by name.

use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::settings;

impl settings::Host for InstanceState {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        if !self.capabilities.grants.settings.contains(&name) {
            self.capabilities.refused("settings", &name);
            return Ok(None);
        }
        Ok(std::env::var(name).ok().filter(|value| !value.is_empty()))
    }
}
