/** What stands for a figure that there is none of. */
export const none = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clockFormat = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dateFormat = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** A number of things. */
export function count(value: number): string {
  return whole.format(value);
}

/** A number of things per second: three digits, so that columns keep their width. */
export function rate(value: number): string {
  if (value === 0) {
    return "0";
  }
  if (value < 0.01) {
    return "<0.01";
  }
  return value < 1 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : whole.format(value);
}

/** A part of 1, in percent. What is not zero does not look like it, and what is not all does not look like all. */
export function percent(part: number): string {
  const value = part * 100;
  if (value === 0 || value === 100) {
    return `${value} %`;
  }
  if (value < 0.1) {
    return "<0.1 %";
  }
  if (value > 99.9) {
    return ">99.9 %";
  }
  return value < 9.95 || value > 99 ? `${value.toFixed(1)} %` : `${value.toFixed(0)} %`;
}

/** A latency in milliseconds. */
export function latency(milliseconds: number | undefined): string {
  if (milliseconds === undefined) {
    return none;
  }
  if (milliseconds >= 9_995) {
    return `${(milliseconds / 1000).toFixed(1)} s`;
  }
  if (milliseconds >= 999.5) {
    return `${(milliseconds / 1000).toFixed(2)} s`;
  }
  return milliseconds < 9.95 ? `${milliseconds.toFixed(1)} ms` : `${milliseconds.toFixed(0)} ms`;
}

/** The time of day, where the browser is. */
export function clock(time: Date): string {
  return clockFormat.format(time);
}

/** Date and time, where the browser is. */
export function moment(time: Date): string {
  return dateFormat.format(time);
}

/** The number with its noun, which takes an s unless it is one. */
export function plural(value: number, noun: string, many = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}
