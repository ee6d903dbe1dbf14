//! Why an extension may import what it may of WASI.

use crate::Standard;

impl Standard {
    /// Why nothing needs to be granted for the interface itself.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ClocksMonotonicClock | Self::ClocksSystemClock | Self::ClocksTypes => {
                "reads clocks and waits: whoever measures time learns how busy the machine is, and no more"
            }
            Self::HttpTypes => {
                "the values of requests and responses; nothing leaves the instance by it"
            }
            Self::HttpClient => "its one function is gated by itself, at each request: see `send`",
            Self::RandomRandom => {
                "random numbers of the operating system, of which there is no end"
            }
        }
    }
}
