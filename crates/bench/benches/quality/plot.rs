//! Mistakes by detection time. There is a panel for each world in which the rules differ.

use std::error::Error;

use liveness_quality::{FAMILIES, WORLDS};
use plotters::prelude::*;

use crate::study::Study;

pub(crate) const FILE: &str = "detection-quality.svg";
pub(crate) const TITLE: &str =
    "Live peers closed a connection and day, against the mean time to find the dead, in eight worlds";

const SHOWN: [&str; 8] = [
    "mobile",
    "satellite",
    "peer stalls",
    "slow pongs",
    "upload",
    "download",
    "pauses, timers first",
    "lost pings",
];

/// The rules in the plot, with their colours. Colour-blind readers can tell them apart (Okabe and Ito); ours is black.
const LINES: [(&str, RGBColor, u32); 11] = [
    ("liveness", RGBColor(0, 0, 0), 4),
    ("liveness, 1 s", RGBColor(110, 110, 110), 3),
    ("gorilla chat", RGBColor(0, 114, 178), 1),
    ("ws isAlive", RGBColor(86, 180, 233), 1),
    ("python-websockets", RGBColor(0, 158, 115), 1),
    ("aiohttp heartbeat", RGBColor(213, 94, 0), 1),
    ("actix example", RGBColor(204, 121, 167), 1),
    ("hyper h2", RGBColor(230, 159, 0), 1),
    ("gRPC", RGBColor(170, 150, 20), 1),
    ("OpenSSH", RGBColor(120, 80, 200), 1),
    ("phi accrual", RGBColor(200, 30, 60), 1),
];

/// The place of a rule that made no mistake, because a logarithmic scale has no zero.
const NONE: f64 = 0.02;
const MOST: f64 = 5000.0;

pub(crate) fn write(study: &Study) -> Result<(), Box<dyn Error>> {
    let path = liveness_bench::host::root().join("docs").join(FILE);
    let root = SVGBackend::new(&path, (1200, 1080)).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((3, 3));
    for (panel, name) in panels.iter().zip(SHOWN) {
        draw(study, panel, name)?;
    }
    // The ninth panel is for the legend.
    let legend = &panels[SHOWN.len()];
    for (number, (name, colour, width)) in LINES.iter().enumerate() {
        let y = 40 + 22 * i32::try_from(number)?;
        legend.draw(&PathElement::new([(50, y), (85, y)], colour.stroke_width(*width)))?;
        legend.draw(&Text::new(*name, (95, y - 7), ("sans-serif", 15)))?;
    }
    let notes = [
        "to the right: mean seconds to find the dead",
        "upwards: live peers closed a day; lowest line: none",
    ];
    for (number, note) in notes.iter().enumerate() {
        legend.draw(&Text::new(*note, (50, 290 + 20 * i32::try_from(number)?), ("sans-serif", 14)))?;
    }
    root.present()?;
    Ok(())
}

fn draw(
    study: &Study,
    panel: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    name: &str,
) -> Result<(), Box<dyn Error>> {
    let world = WORLDS.iter().position(|world| world.name == name).ok_or("no such world")?;
    let mut chart = ChartBuilder::on(panel)
        .caption(name, ("sans-serif", 17))
        .margin(8)
        .x_label_area_size(26)
        .y_label_area_size(44)
        .build_cartesian_2d(5.0..65.0, (NONE..MOST).log_scale())?;
    chart
        .configure_mesh()
        .x_labels(7)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| if *y <= NONE * 1.01 { "none".to_owned() } else { format!("{y}") })
        .light_line_style(WHITE)
        .draw()?;
    // Ours is drawn last, so it lies on top.
    for (name, colour, width) in LINES.iter().rev() {
        let family = FAMILIES.iter().position(|family| family.name == *name).ok_or("no such rule")?;
        let points: Vec<(f64, f64)> = study.scores[world][family]
            .iter()
            .flatten()
            .filter_map(|score| Some((score.detection()?, score.mistakes_a_day().mean.max(NONE))))
            .filter(|(x, _)| *x < 65.0)
            .collect();
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(*width)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    Ok(())
}
