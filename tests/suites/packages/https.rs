//! Packages by https: from a server of the test's own, with an authority of its own.

use crate::ground::{Ground, tar_gz};
use casemate_tests::guests;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;

struct Server {
    port: u16,
    /// Who vouches for it, in PEM.
    ca: String,
}

impl Server {
    /// Serves these files until the test ends.
    fn start(files: BTreeMap<&'static str, Vec<u8>>) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = ca.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(ca, ca_key);
        let cert =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let (config, files) = (Arc::new(config), Arc::new(files));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, files) = (Arc::clone(&config), Arc::clone(&files));
                std::thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
                    // Whoever does not like what it gets hangs up.
                    let _ = answer(&mut stream, port, &files);
                });
            }
        });
        Self { port, ca: pem }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

type Stream = BufReader<StreamOwned<ServerConnection, std::net::TcpStream>>;

fn answer(stream: &mut Stream, port: u16, files: &BTreeMap<&'static str, Vec<u8>>) -> std::io::Result<()> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line)?;
    }
    let out = stream.get_mut();
    let redirect = |to: String| {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    };
    if let Some(left) = path.strip_prefix("/on/").and_then(|left| left.parse::<u32>().ok()) {
        let to = if left == 0 { "/good.tar.gz".to_owned() } else { format!("/on/{}", left - 1) };
        out.write_all(redirect(format!("https://localhost:{port}{to}")).as_bytes())?;
    } else if path == "/plain" {
        out.write_all(redirect(format!("http://localhost:{port}/good.tar.gz")).as_bytes())?;
    } else if path == "/endless" {
        out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\x1f\x8b")?;
        loop {
            out.write_all(&[0; 65_536])?;
        }
    } else if let Some(bytes) = files.get(path.split('?').next().unwrap_or_default()) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
        out.write_all(head.as_bytes())?;
        out.write_all(bytes)?;
    } else {
        out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    }
    out.conn.send_close_notify();
    out.flush()
}

#[test]
fn packages_are_fetched_by_https_and_by_nothing_else() {
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let text = "id = \"far\"\nname = \"Far\"\nversion = \"1.0.0\"\n";
    let good = tar_gz(&[("plugin.toml", text.as_bytes()), ("far.wasm", &wasm)]);
    let server =
        Server::start([("/good.tar.gz", good), ("/far.wasm", wasm), ("/text", b"hello".to_vec())].into());
    let ground = Ground::new();
    let ca = ground.file("ca.pem", server.ca.as_bytes());
    let install = |path: &str, more: &[&str]| {
        let url = server.url(path);
        ground.ran(&[&["plugins", "install", url.as_str()], more].concat())
    };
    let trusted = ["--ca", ca.as_str()];

    // Nobody vouches for it but its own authority.
    let ran = install("/good.tar.gz", &[]);
    assert!(
        ran.code == 8 && ran.err.contains("[package.fetch]") | ran.err.contains("trusts nobody"),
        "{ran:?}"
    );
    let other = Server::start(BTreeMap::new());
    let others = ground.file("other.pem", other.ca.as_bytes());
    let ran = install("/good.tar.gz", &["--ca", &others]);
    assert!(ran.code == 8 && ran.err.contains("[package.fetch]"), "{ran:?}");

    for (path, code, words) in [
        ("/nothing", 8, "404"),
        ("/plain", 8, "https"),
        ("/on/20", 8, "redirect"),
        ("/endless", 8, "it has more than 67108864 bytes, which is the most"),
        ("/text", 4, "it is neither a .tar.gz nor a .zip"),
    ] {
        let ran = install(path, &trusted);
        assert!(ran.code == code && ran.err.contains(words), "{path}: {ran:?}");
        assert!(ground.is_clean(), "{path}");
    }
    let ran = ground.ran(&["plugins", "install", "http://localhost/a.tar.gz"]);
    assert!(ran.code == 2 && ran.err.contains("only https:// is fetched"), "{ran:?}");
    assert_eq!(ground.ran(&["plugins", "install", "ftp://localhost/a.tar.gz"]).code, 2);
    let ran = install("/good.tar.gz", &[&trusted[..], &["--sha256", &"1".repeat(64)]].concat());
    assert!(ran.code == 4 && ran.err.contains("[package.hash]") && ground.is_clean(), "{ran:?}");

    for (path, name) in [("/good.tar.gz", "far"), ("/on/3", "far"), ("/far.wasm?x=1", "far")] {
        if path.starts_with("/far.wasm") {
            ground.done(&["plugins", "remove", name]);
        }
        let ran = install(path, &trusted);
        assert!(ran.code == 0 && ran.out.starts_with("far "), "{path}: {ran:?}");
        let source = ground.json(&["plugins", "info", name])["package"]["source"].clone();
        assert_eq!(source, server.url(path));
    }
}
