// What a line says in numbers.

export interface Numbers {
  last: number;
  least: number;
  most: number;
  mean: number;
}

export function numbersOf(line: (number | null)[]): Numbers | undefined {
  const values = line.filter((value) => value !== null);
  if (!values.length) return undefined;
  let [least, most, sum] = [Infinity, -Infinity, 0];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
  }
  return { last: values.at(-1)!, least, most, mean: sum / values.length };
}
