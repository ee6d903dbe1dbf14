//! Answers `GET /smuggles-headers/<way>` with a header field that is not its own to send, by value or, with `?streamed`, with a
//! streamed body.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct SmugglesHeaders;

impl Extension for SmugglesHeaders {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/smuggles-headers/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let way = request
            .path_segments()
            .last()
            .unwrap_or_default()
            .into_owned();
        let response = if request.query_param("streamed").is_some() {
            Response::stream(200, "text/plain", async |mut writer| {
                writer.write("body\n").await
            })
        } else {
            Response::text(200, "body\n")
        };
        let fields: &[(&str, &[u8])] = match way.as_str() {
            "line-in-value" => &[("x-own", b"a\r\nset-cookie: stolen=1")],
            "answer-in-value" => &[(
                "x-own",
                b"a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            )],
            "line-feed-in-value" => &[("x-own", b"a\nset-cookie: stolen=1")],
            "nul-in-value" => &[("x-own", b"a\0b")],
            "line-in-name" => &[("x-own: a\r\nset-cookie", b"stolen=1")],
            "space-in-name" => &[("x own", b"a")],
            "empty-name" => &[("", b"a")],
            "two-lengths" => &[("content-length", b"5"), ("content-length", b"0")],
            "short-length" => &[("content-length", b"1")],
            "long-length" => &[("content-length", b"500")],
            "length-in-words" => &[("content-length", b"five")],
            "length-and-coding" => &[("content-length", b"0"), ("transfer-encoding", b"chunked")],
            "coding" => &[("transfer-encoding", b"gzip, chunked")],
            "hops" => &[
                ("connection", b"x-own, close"),
                ("keep-alive", b"timeout=600"),
                ("proxy-authenticate", b"Basic"),
                ("proxy-connection", b"keep-alive"),
                ("upgrade", b"h2c"),
                ("te", b"trailers"),
                ("trailer", b"x-later"),
                ("x-own", b"kept"),
            ],
            _ => return Ok(Response::declined()),
        };
        Ok(fields.iter().fold(response, |response, (name, value)| {
            response.with_header(name, *value)
        }))
    }
}

mngr_extension::export!(SmugglesHeaders);
