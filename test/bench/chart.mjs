// SPDX-License-Identifier: MIT
//
// The results as a chart: for each load, how many times the CPU time of the floor each contender took.

import * as echarts from 'echarts';

const COLOURS = {
  porthole: '#c2410c',
  undici: '#1d4ed8',
  'undici-stream': '#60a5fa',
  'undici-fetch': '#0e7490',
  'node-http': '#15803d',
  got: '#a16207',
  axios: '#7e22ce',
  needle: '#be185d',
  python: '#525252',
};
const TITLE = 'CPU time of a request, in times that of a bare socket';
const FONT = 'DejaVu Sans, Verdana, sans-serif';
/** The floor itself. */
const FLOOR_LINE = {
  silent: true,
  symbol: 'none',
  lineStyle: { color: '#111111', type: 'solid', width: 1.5 },
  label: { formatter: 'floor', fontSize: 11, color: '#111111' },
  data: [{ xAxis: 1 }],
};
const ROW = 46;
const TOP = 120;
const BOTTOM = 70;

/** A thin line between the quartiles. */
function whisker(_params, api) {
  const [left, y] = api.coord([api.value(0), api.value(2)]);
  const [right] = api.coord([api.value(1), api.value(2)]);
  const shift = api.value(3);
  const shape = { x1: left, x2: Math.max(right, left + 1), y1: y + shift, y2: y + shift };
  return { type: 'line', shape, style: { stroke: api.visual('color'), lineWidth: 2, opacity: 0.5 } };
}

/** The contender's figures as points: times the floor, place of the load, and how far off the middle of its row. */
function points(loads, name, shift) {
  return loads.flatMap(({ rows }, place) => {
    const ratio = rows.find((row) => row.name === name)?.plain.ratios.floor?.cpu;
    return ratio ? [{ median: 1 / ratio.median, low: 1 / ratio.high, high: 1 / ratio.low, place, shift }] : [];
  });
}

/**
 * @param {object} report of a run with the floor
 * @returns {string} SVG
 */
export function chart(report) {
  const loads = report.loads.filter(({ rows }) => rows.some(({ plain }) => plain.ratios.floor?.cpu)).reverse();
  const names = Object.keys(COLOURS).filter((name) => loads.some(({ rows }) => rows.some((row) => row.name === name)));
  const series = names.flatMap((name, index) => {
    const shift = (index - (names.length - 1) / 2) * ((ROW - 10) / names.length);
    const own = points(loads, name, shift);
    const color = COLOURS[name];
    return [
      {
        name,
        type: 'custom',
        renderItem: whisker,
        itemStyle: { color },
        encode: { x: [0, 1], y: 2 },
        data: own.map(({ low, high, place }) => [low, high, place, shift]),
        silent: true,
      },
      {
        name,
        type: 'scatter',
        symbol: name === 'porthole' ? 'diamond' : 'circle',
        symbolSize: name === 'porthole' ? 13 : 8,
        symbolOffset: [0, shift],
        itemStyle: { color },
        data: own.map(({ median, place }) => [median, place]),
        markLine: index > 0 ? undefined : FLOOR_LINE,
        z: name === 'porthole' ? 4 : 3,
      },
    ];
  });
  const worst = Math.max(...names.flatMap((name) => points(loads, name, 0).map(({ high }) => high)));
  const height = TOP + BOTTOM + loads.length * ROW;
  const drawing = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 1000, height });
  drawing.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: FONT, color: '#222222' },
    title: {
      text: TITLE,
      subtext: 'Median and quartiles of the rounds; left is better; 1 is a socket that only counts or writes',
      left: 20,
      top: 12,
      textStyle: { fontSize: 18, fontFamily: FONT, color: '#111111' },
      subtextStyle: { fontSize: 12, fontFamily: FONT, color: '#555555' },
    },
    legend: { data: names, left: 20, top: 68, itemWidth: 14, itemHeight: 10, itemGap: 24, textStyle: { fontSize: 12 } },
    grid: { left: 350, right: 30, top: TOP, bottom: BOTTOM },
    xAxis: {
      type: 'log',
      min: 0.5,
      max: 2 ** Math.ceil(Math.log2(worst)),
      logBase: 2,
      name: 'times the floor’s CPU time (logarithmic)',
      nameLocation: 'middle',
      nameGap: 34,
      axisLabel: { fontFamily: FONT },
      splitLine: { lineStyle: { color: '#dddddd' } },
    },
    yAxis: {
      type: 'category',
      data: loads.map(({ title }) => title),
      axisTick: { show: false },
      axisLabel: { fontFamily: FONT, fontSize: 12, width: 325, overflow: 'break' },
      splitArea: { show: true, areaStyle: { color: ['#ffffff', '#f5f5f5'] } },
    },
    series,
  });
  const svg = drawing.renderToSVGString();
  drawing.dispose();
  // The first thing in it is what says of it what it is, to those who don't see it.
  return `${svg.replace('>', `><title>${TITLE}</title>`)}\n`;
}
