//! Wants the network, and says what came of it. Its argument says which way: `tcp`, `udp`, `name`, `http`.

use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

fn main() {
    let said = match std::env::args().nth(1).as_deref() {
        Some("tcp") => TcpStream::connect("127.0.0.1:80").map(|_| ()),
        Some("listen") => TcpListener::bind("127.0.0.1:0").map(|_| ()),
        Some("udp") => UdpSocket::bind("127.0.0.1:0").map(|_| ()),
        Some("name") => "localhost:80".to_socket_addrs().map(|_| ()),
        Some("http") => {
            let request = OutgoingRequest::new(Fields::new());
            let _ = request.set_scheme(Some(&Scheme::Http));
            let _ = request.set_authority(Some("127.0.0.1"));
            println!("{}", handle(request, None).is_ok());
            return;
        }
        _ => {
            println!("nothing was asked for");
            return;
        }
    };
    match said {
        Ok(()) => println!("connected"),
        Err(error) => println!("{:?}", error.kind()),
    }
}
