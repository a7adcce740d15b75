// What the pages share in asking the API.

import { useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { get } from "./api.js";

// Asks again and again: {data, error, refresh}. When it is asked for something else, what came before does not stay.
export function usePolled(load, everyMs, inputs = []) {
  const [state, setState] = useState({ error: "" });
  const refresh = useRef(() => {});
  useEffect(() => {
    let newest = 0;
    let timer = 0;
    let left = false;
    refresh.current = async () => {
      const turn = ++newest;
      clearTimeout(timer);
      let next;
      try {
        const data = await load();
        next = () => ({ data, error: "" });
      } catch (problem) {
        next = (before) => ({ ...before, error: problem.message });
      }
      if (left || turn !== newest) return; // the page has gone on, or has asked again meanwhile
      setState(next);
      timer = setTimeout(() => refresh.current(), everyMs);
    };
    setState({ error: "" });
    refresh.current();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, inputs);
  return { ...state, refresh: () => refresh.current() };
}

// Whether the reader may change things; until that is known, not.
export function useMayOperate() {
  const { data } = usePolled(() => get("/api/v1/caller"), 600000);
  return data?.role === "operator" || data?.role === "admin";
}
