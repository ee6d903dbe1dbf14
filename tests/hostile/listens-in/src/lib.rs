//! Goes for the topic on which permission requests are announced: `GET /listens-in/<way>?topic=`.

use mngr_extension::events;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// What a follower would show to the person as a request.
const FORGED: &[u8] = br#"{"request_id":"forged"}"#;

/// Remembers nothing.
#[derive(Default)]
struct ListensIn;

impl Extension for ListensIn {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/listens-in/publish"))
            .with_route(Route::get("/listens-in/subscribe").streaming())
            .with_topic("permission-requests")
            .with_topic("listens-in")
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let topic = request.query_param("topic").unwrap_or_default();
        if request.path().ends_with("publish") {
            return Ok(match events::publish(&topic, FORGED) {
                Ok(reached) => Response::text(200, format!("{reached}\n")),
                Err(error) => Response::text(403, error.to_string()),
            });
        }
        Ok(match events::subscribe(&topic) {
            Ok(mut subscription) => Response::stream(200, "text/plain", async move |mut writer| {
                writer.write("open\n").await?;
                while let Some(message) = subscription.next().await {
                    writer.write(message).await?;
                    writer.write("\n").await?;
                }
                Ok(())
            }),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(ListensIn);
