//! Arguments, environment, streams, time, chance, the end.

use crate::{Case, Said};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::time::{Duration, Instant, SystemTime};

pub(crate) const CASES: &[Case] = &[
    ("args", || Ok(std::env::args().skip(1).collect::<Vec<_>>().join("|"))),
    ("args-name", || Ok(std::env::args().next().unwrap_or_default())),
    ("env", || Ok(std::env::var("GREETING").unwrap_or_else(|_| "none".to_owned()))),
    ("env-all", || {
        let mut all: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
        all.sort();
        Ok(all.join(";"))
    }),
    ("stdin-all", stdin_all),
    ("stdin-lines", stdin_lines),
    ("stdin-twice", || {
        let mut text = String::new();
        let first = io::stdin().read_to_string(&mut text)?;
        Ok(format!("{first} then {}", io::stdin().read_to_string(&mut text)?))
    }),
    ("stdout-long", || Ok("0123456789abcdef".repeat(20_000))),
    ("stdout-bytes", || {
        let bytes: Vec<u8> = (0..=255).collect();
        io::stdout().write_all(&bytes)?;
        Ok(String::new())
    }),
    ("stderr", || {
        eprintln!("a word beside");
        eprint!("without an end");
        Ok("out".to_owned())
    }),
    ("terminals", || {
        Ok(format!(
            "{} {} {}",
            io::stdin().is_terminal(),
            io::stdout().is_terminal(),
            io::stderr().is_terminal()
        ))
    }),
    ("exit-0", || std::process::exit(0)),
    ("exit-3", || {
        println!("before");
        std::process::exit(3)
    }),
    ("exit-100", || std::process::exit(100)),
    ("panics", || {
        println!("before");
        panic!("on purpose")
    }),
    ("unreachable", || {
        println!("before");
        core::arch::wasm32::unreachable()
    }),
    ("wall-clock", || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(format!("after 2024: {}", since > Duration::from_secs(1_700_000_000)))
    }),
    ("monotonic-clock", || {
        let first = Instant::now();
        Ok(format!("forward: {}", Instant::now() >= first))
    }),
    ("sleep", || {
        let before = Instant::now();
        std::thread::sleep(Duration::from_millis(30));
        Ok(format!("slept: {}", before.elapsed() >= Duration::from_millis(30)))
    }),
    ("random", || {
        let one = std::collections::hash_map::RandomState::new().hash_one(1);
        let mut map = HashMap::new();
        map.insert(one, 1);
        Ok(format!("there: {}", map.len()))
    }),
    ("thread", || match std::thread::Builder::new().spawn(|| 1) {
        Ok(_) => Ok("started".to_owned()),
        Err(error) => Ok(format!("none: {:?}", error.kind())),
    }),
    ("tcp", || match std::net::TcpStream::connect("127.0.0.1:9") {
        Ok(_) => Ok("connected".to_owned()),
        Err(error) => Ok(format!("none: {:?}", error.kind())),
    }),
    ("udp", || match std::net::UdpSocket::bind("127.0.0.1:0") {
        Ok(_) => Ok("bound".to_owned()),
        Err(error) => Ok(format!("none: {:?}", error.kind())),
    }),
    ("current-dir", || Ok(format!("{:?}", std::env::current_dir().ok()))),
    ("memory", || {
        let mut blocks = Vec::new();
        for number in 0..64_u8 {
            blocks.push(vec![number; 100_000]);
        }
        let sum: u64 = blocks.iter().flatten().map(|byte| u64::from(*byte)).sum();
        Ok(sum.to_string())
    }),
];

fn stdin_all() -> Said {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    Ok(format!("{} bytes, {sum}", bytes.len()))
}

fn stdin_lines() -> Said {
    let lines: Result<Vec<String>, _> = io::stdin().lock().lines().collect();
    Ok(lines?.iter().map(|line| line.chars().rev().collect::<String>()).collect::<Vec<_>>().join("/"))
}
