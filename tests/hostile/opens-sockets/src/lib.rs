//! `GET /opens-sockets/<way>?to=<address>` answers whether it got through.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct OpensSockets;

impl Extension for OpensSockets {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/opens-sockets/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let to = request.query_param("to").unwrap_or_default();
        let done = match request.path_segments().last().as_deref() {
            Some("connect") => TcpStream::connect(&to).and_then(|mut stream| {
                stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok(answer)
            }),
            Some("listen") => TcpListener::bind(&to).map(|_| "listening".to_owned()),
            Some("datagram") => UdpSocket::bind("0.0.0.0:0")
                .and_then(|socket| socket.send_to(b"out", &to))
                .map(|sent| format!("{sent} bytes sent")),
            _ => return Ok(Response::declined()),
        };
        Ok(match done {
            Ok(text) => Response::text(200, text),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(OpensSockets);
