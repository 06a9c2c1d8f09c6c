//! `make bench`: what two hops cost with this mesh, with other proxies, and without any.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser as _;
use mesh_bench::args::Args;
use mesh_bench::machine::raise_file_limit;
use mesh_bench::report::Report;
use mesh_bench::{app, run, world};
use mesh_integration::pods::{self, Place};

/// Written inside, read outside: the name of the folder of this run.
const LATEST: &str = ".latest";

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, http2, tcp] = &arguments[..]
        && command == "app"
    {
        app::serve(http2.parse()?, tcp.parse()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    args.settings()?;
    match pods::place()? {
        Place::Outside => outside(&args),
        Place::Inside => inside(&args),
    }
}

/// Gets what is needed, starts this again inside, and hands the results over.
fn outside(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    fs::create_dir_all(&args.results)?;
    let latest = args.results.join(LATEST);
    fs::remove_file(&latest).ok();
    let code = pods::start(&world::gather(&args.results)?)?;
    let Ok(folder) = fs::read_to_string(&latest) else {
        return Ok(ExitCode::FAILURE);
    };
    fs::remove_file(&latest)?;
    let folder = args.results.join(folder);
    if let Some(file) = &args.json {
        fs::copy(folder.join("results.json"), file)?;
    }
    eprintln!(
        "Written to {}: report.html is for looking at",
        folder.display()
    );
    Ok(code)
}

fn inside(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    raise_file_limit()?;
    tell_logs_on_panic();
    let settings = args.settings()?;
    let findings = run::run(&settings)?;
    let report = Report::new(&settings, &findings);
    println!("{}", report.markdown());
    let results = Path::new(world::RESULTS);
    let folder = report.write(results)?;
    let name = folder.strip_prefix(results)?.display().to_string();
    fs::write(results.join(LATEST), name)?;
    let failed = !findings.failures.is_empty();
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The pods' builder panics when something does not start; what that has said is gone with the namespaces.
fn tell_logs_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let command = "tail -n 5 /run/mesh/c*/*/proxy.log >&2";
        Command::new("bash").args(["-c", command]).status().ok();
    }));
}
