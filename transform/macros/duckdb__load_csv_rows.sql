{#- Seeds as people leave them: rows that end early, mixed line ends, a mark of the byte order. dbt-duckdb's own way guesses
    the dialect, and refuses the whole file when one row is odd. What is wrong with a row is for the models to say. -#}
{% macro duckdb__load_csv_rows(model, agate_table) -%}
    {%- set sql -%}
        copy {{ this.render() }} from '{{ adapter.get_seed_file_path(model) }}' (
            format csv, header true, auto_detect false, delimiter ',', quote '"', escape '"', null_padding true, strict_mode false
        )
    {%- endset -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{%- endmacro %}
