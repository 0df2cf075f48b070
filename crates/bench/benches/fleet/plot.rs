//! The cost by the number of connections, a line for each contender.

use std::error::Error;

use plotters::prelude::*;

use crate::contenders::{ALONE, CONTENDERS};
use crate::report::{EVENTS, Report};
use liveness_bench::host;

/// Colours that colour-blind readers can tell apart (Okabe and Ito), on white.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(150, 150, 150),
];

pub(crate) fn file(events: u32) -> String {
    format!("fleet-{events}.svg")
}

pub(crate) fn title(events: u32) -> String {
    match events {
        0 => "ns a ping and its answer, against connections".to_owned(),
        _ => format!("ns an event, against connections; data events a connection and interval: {events}"),
    }
}

/// Writes all plots into `docs/`.
pub(crate) fn write(report: &Report) -> Result<(), Box<dyn Error>> {
    for events in EVENTS {
        draw(report, events)?;
    }
    Ok(())
}

fn draw(report: &Report, events: u32) -> Result<(), Box<dyn Error>> {
    let path = host::docs().join(file(events));
    let root = SVGBackend::new(&path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let lines: Vec<(&str, Vec<(f64, f64)>)> =
        CONTENDERS.iter().map(|entry| (entry.name, line(report, entry.name, events))).collect();
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let lowest = points().map(|(_, cost)| cost).fold(f64::INFINITY, f64::min);
    let highest = points().map(|(_, cost)| cost).fold(0.0, f64::max);
    let sizes = report.sizes();
    let (smallest, largest) = sizes.first().zip(sizes.last()).ok_or("no sizes")?;
    // The legend takes a quarter of the width, to the right of the largest size.
    let width = f64::from(*smallest) * 0.8..f64::from(*largest) * 8.0;
    let mut chart = ChartBuilder::on(&root)
        .caption(title(events), ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(width.log_scale(), (lowest * 0.7..highest * 1.4).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("connections")
        .y_desc("ns")
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|cost| format!("{cost:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    let colours = COLOURS.iter().cycle();
    for ((name, points), &colour) in lines.into_iter().filter(|(_, points)| !points.is_empty()).zip(colours) {
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart
            .draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}

fn line(report: &Report, name: &'static str, events: u32) -> Vec<(f64, f64)> {
    if ALONE.contains(&name) {
        return Vec::new();
    }
    let point = |&size| Some((f64::from(size), report.cost(name, size, events)?.event));
    report.sizes().iter().filter_map(point).collect()
}
