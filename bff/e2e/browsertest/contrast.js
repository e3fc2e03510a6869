// A function that lists the texts of the page with less contrast than WCAG 2.2 asks for at level AA (success criterion 1.4.3): 4.5 to
// 1, and 3 to 1 for large text. Controls that are disabled are exempt.
() => {
  const parse = (color) => {
    const [, space, numbers] = /^(rgba?|color)\((?:srgb )?([-\d., /e]+)\)$/.exec(color) ?? [];
    if (!space) throw new Error(`a colour in an unknown form: ${color}`);
    const [r, g, b, alpha = 1] = numbers.split(/[ ,/]+/).map(Number);
    return [...[r, g, b].map((value) => (space === "color" ? value * 255 : value)), alpha];
  };
  const over = ([r, g, b, alpha], below) => [r, g, b].map((value, i) => value * alpha + below[i] * (1 - alpha));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  // The colour of the window, behind everything.
  const probe = document.documentElement.appendChild(document.createElement("span"));
  probe.style.color = "Canvas";
  const canvas = parse(getComputedStyle(probe).color).slice(0, 3);
  probe.remove();
  const once = (of) => {
    const known = new Map();
    return (element) => {
      if (!known.has(element)) known.set(element, of(element));
      return known.get(element);
    };
  };
  const opacity = once((element) =>
    Number(getComputedStyle(element).opacity) * (element.parentElement ? opacity(element.parentElement) : 1));
  // What is behind the text of an element, with the opacity of all that it is in.
  const behind = once((element) => {
    const below = element.parentElement ? behind(element.parentElement) : canvas;
    const [r, g, b, alpha] = parse(getComputedStyle(element).backgroundColor);
    return over([r, g, b, alpha * opacity(element)], below);
  });

  const faults = new Map();
  const check = (element, text, style) => {
    const back = behind(element);
    const [r, g, b, alpha] = parse(style.color);
    const got = ratio(over([r, g, b, alpha * opacity(element)], back), back);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (got < (large ? 3 : 4.5)) {
      const name = `${element.tagName.toLowerCase()}.${[...element.classList].join(".")}`;
      const fault = `${got.toFixed(2)} to 1: ${style.color} on rgb(${back.map(Math.round).join(", ")}), ${name}`;
      if (!faults.has(fault)) faults.set(fault, text.trim().replace(/\s+/g, " ").slice(0, 60));
    }
  };
  const shown = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest(":disabled, svg");
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: element, data } = texts.currentNode;
    if (data.trim() !== "" && shown(element)) check(element, data, getComputedStyle(element));
  }
  for (const element of document.body.querySelectorAll("*")) {
    for (const part of ["::before", "::after"]) {
      const style = getComputedStyle(element, part);
      if (/^".*\S.*"$/.test(style.content) && shown(element)) check(element, style.content, style);
    }
  }
  for (const field of document.querySelectorAll("input:not([type=file]), textarea, select")) {
    if (!shown(field)) continue;
    if (field.value) check(field, field.value, getComputedStyle(field));
    else if (field.placeholder) check(field, field.placeholder, getComputedStyle(field, "::placeholder"));
  }
  return [...faults].map(([fault, text]) => `${fault}, ${JSON.stringify(text)}`);
}
