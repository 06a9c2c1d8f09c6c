//! `make bench-controller`: what the controller costs at scale.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use clap::Parser as _;
use mesh_bench::controller::args::Args;
use mesh_bench::controller::report::Report;
use mesh_bench::controller::run;
use mesh_bench::machine::raise_file_limit;

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench-controller: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    // Here and in the controller: two connections for each proxy.
    raise_file_limit()?;
    let program = match &args.controller {
        Some(program) => program.clone(),
        None => run::beside()?,
    };
    let settings = args.settings();
    // One thread for all clients and the API server: the controller has the other processor.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let findings = runtime.block_on(run::run(&settings, &program))?;
    let report = Report::new(&settings, &findings);
    println!("{}", report.markdown());
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&report.json())? + "\n")?;
    }
    if let Some(folder) = &args.results {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(report.file_name()), report.markdown())?;
    }
    Ok(match report.failures().is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
